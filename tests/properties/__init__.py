"""Properties that hold for any data, however bad; ``python -m tests.properties`` tries more examples of each."""
