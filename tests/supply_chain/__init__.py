"""What is installed, as bills of materials, and what is known against it; see ``__main__``."""
