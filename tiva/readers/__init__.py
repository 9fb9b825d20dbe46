"""One module a family of table layouts, behind one registry."""
