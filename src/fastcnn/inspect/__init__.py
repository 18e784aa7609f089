"""Reports about a model, as functions of a model. Nothing below imports them."""
