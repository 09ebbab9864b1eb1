"""The paging gateway: pushes pages to Cisco IP phones and answers their authentication requests."""
