"""web/sensorthings."""
