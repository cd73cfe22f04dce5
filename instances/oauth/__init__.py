"""What the site asks login services, and those who take their tokens, over TLS."""
