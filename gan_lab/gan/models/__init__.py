"""Generators and discriminators: textbook modules that know nothing of seeds."""
