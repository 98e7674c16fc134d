"""The native core: plays instruments without PyTorch, at once and on all cores."""
