# An asyncio server that sends back what it gets.
import asyncio


async def echo(reader, writer):
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def main():
    server = await asyncio.start_server(echo, "0.0.0.0", 7)
    await server.serve_forever()


asyncio.run(main())
