"""What Python code and notebooks use: the names that ``gan_lab`` itself offers."""
