"""The bundled relay: one process, one port, for local runs, tests and self-hosting.

server      listens, drains on SIGTERM
connection  HTTP on one connection: requests in, answers out, upgrades
subscriber  the WebSocket on one connection
hub         the rooms of this process, who reads them, and the fan-out
store       keeps rooms over a restart (SQLite)
metrics     Prometheus
"""
