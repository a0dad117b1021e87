"""The atlas of activations: what each is as a function, and what it costs; `table` and `plot` show it."""
