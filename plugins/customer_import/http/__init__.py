"""HTTP as both APIs need it: one session, one error classification, retries, limiters. Knows no database."""
