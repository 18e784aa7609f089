"""What runs a model: from `forward` on symbols to a plan, and from arrays through it to tensors."""
