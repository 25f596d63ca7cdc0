"""pandas lives here: the mapping applied to frames. Pure: frame in, frame out."""
