"""What stands between the network and the router: who may listen, who may ask, and how much a connection may take."""
