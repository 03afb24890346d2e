"""Make the components that the slots of a recipe name.

`parts.make_parts` makes the components of one approach once, and passes them on.
"""
