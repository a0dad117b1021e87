"""Real data as tensors: every data set is indexed where it lives, without worker processes."""
