"""Deliberately broken builds, one a module: the checker must catch each.

CATCHES   the kinds of findings of which at least one must be there in the end
WAIT_S    how long the broken build gets to make it good by itself
install() breaks the product, in the lab's processes only
look()    if there is one: what finds it, instead of the checker's rounds
play()    the scene that shows it; an unbroken build must come out of it clean
"""
