# A UDP server: datagrams come back in capitals.
import socket

server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("", 5353))
while True:
    data, address = server.recvfrom(65536)
    server.sendto(data.upper(), address)
