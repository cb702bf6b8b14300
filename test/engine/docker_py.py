"""What docker-py's documentation shows (https://docker-py.readthedocs.io), against the engine that DOCKER_HOST names; an image "box" is there; its argument is a registry that takes images of anybody. An assertion that fails ends it."""
import io
import sys
import tarfile
import time

import docker
import docker.errors
import docker.types

client = docker.from_env(timeout=300)
STAY = ["sh", "-c", 'echo stays; trap "exit 0" TERM; while :; do sleep 0.1; done']


def check(what, found, expected):
    assert found == expected, f"{what}: found {found!r}, expected {expected!r}"
    print(f"{what}: as expected")


def check_again(what, act, expected):
    """docker-py loses what comes in the same read as the head of an upgraded answer, which a busy machine brings about now and then: some attempts."""
    for _ in range(9):
        found = act()
        if found == expected:
            break
    check(what, found, expected)


def refused(what, error, act):
    try:
        act()
    except error as refusal:
        print(f"{what}: {refusal}")
        return refusal
    raise AssertionError(f"{what} was not refused")


# Getting started.
check("run", client.containers.run("box", "echo hello world"), b"hello world\n")
check("run, removed", client.containers.run("box", ["echo", "hello"], remove=True), b"hello\n")
failed = refused("a status", docker.errors.ContainerError, lambda: client.containers.run("box", ["sh", "-c", "echo why >&2; exit 7"], remove=True))
check("status", (failed.exit_status, failed.stderr), (7, b"why\n"))
refused("no image", docker.errors.ImageNotFound, lambda: client.containers.create("nothing/none:1"))
client.containers.prune()

# Containers.
container = client.containers.run("box", STAY, detach=True, name="web", labels={"tier": "front"}, environment=["A=1"])
check("list", [each.name for each in client.containers.list(filters={"label": "tier=front"})], ["web"])
check("get", client.containers.get("web").id, container.id)
check("attributes", (container.attrs["Config"]["Image"], container.labels), ("box", {"tier": "front"}))
container.reload()
check("status", container.status, "running")
for line in container.logs(stream=True):
    check("logs", line.strip(), b"stays")
    break
check("logs with times", container.logs(timestamps=True)[-6:], b"stays\n")
check_again("exec_run", lambda: container.exec_run("echo hello"), (0, b"hello\n"))
check_again("exec_run, apart", lambda: container.exec_run(["sh", "-c", "echo out; echo err >&2; exit 3"], demux=True), (3, (b"out\n", b"err\n")))
check_again("exec_run, environment", lambda: container.exec_run(["sh", "-c", "echo $A $B; ls -d $PWD"], environment={"B": "2"}, workdir="/bin"), (0, b"1 2\n/bin\n"))
check_again("exec_run, streamed", lambda: b"".join(container.exec_run("echo hello", stream=True)[1]), b"hello\n")
code, connection = container.exec_run("cat", stdin=True, socket=True)
connection._sock.sendall(b"hello\n")
check("exec_run, a socket", connection.read(14)[8:], b"hello\n")
connection.close()
assert container.stats(stream=False)["memory_stats"]["usage"] > 0
assert len(container.top()["Processes"]) > 0
container.pause()
container.reload()
check("paused", container.status, "paused")
container.unpause()
container.rename("shop")
container.update(restart_policy={"Name": "no"})
container.resize(24, 80)
container.restart(timeout=20)
while container.logs().count(b"stays") < 2:
    time.sleep(0.1)
container.stop()
check("wait", container.wait()["StatusCode"], 0)
container.start()
container.kill(signal="SIGKILL")
check("killed", container.wait()["StatusCode"], 137)
container.remove()
refused("a container that is gone", docker.errors.NotFound, lambda: client.containers.get("shop"))

# Files, changes, images of containers.
container = client.containers.run("box", STAY, detach=True)
sent = io.BytesIO()
with tarfile.open(fileobj=sent, mode="w") as archive:
    entry = tarfile.TarInfo("sent")
    entry.size = 5
    archive.addfile(entry, io.BytesIO(b"sent\n"))
assert container.put_archive("/tmp", sent.getvalue())
bits, stat = container.get_archive("/tmp/sent")
check("get_archive", (stat["name"], stat["size"]), ("sent", 5))
check("its bytes", tarfile.open(fileobj=io.BytesIO(b"".join(bits))).extractfile("sent").read(), b"sent\n")
check("diff", container.diff(), [{"Path": "/tmp", "Kind": 0}, {"Path": "/tmp/sent", "Kind": 1}])
assert "tmp/sent" in tarfile.open(fileobj=io.BytesIO(b"".join(container.export()))).getnames()
kept = container.commit(repository="kept", tag="1", message="why", conf={"Env": ["K=1"]})
check("commit", client.containers.run("kept:1", ["sh", "-c", "cat /tmp/sent; echo $K"], remove=True), b"sent\n1\n")
client.images.remove("kept:1")
container.remove(force=True)
# It says more and more: what docker-py loses behind the head of the answer is not missed.
container = client.containers.run("box", ["sh", "-c", "while :; do echo stays; sleep 0.1; done"], detach=True)
streamed = container.attach(stream=True, logs=True)
check("attach", next(iter(streamed)).split()[0], b"stays")
container.remove(force=True)
check("prune", client.containers.prune()["SpaceReclaimed"] >= 0, True)

# Attached before the start, with input.
low = client.api
made = low.create_container("box", ["cat"], stdin_open=True, tty=False, host_config=low.create_host_config(auto_remove=False))
attached = low.attach_socket(made, params={"stdin": 1, "stdout": 1, "stream": 1})
low.start(made)
attached._sock.sendall(b"through\n")
check("attach", attached.read(16)[8:], b"through\n")
attached.close()
low.remove_container(made, force=True)

# Images.
dockerfile = io.BytesIO(b"FROM box\nLABEL made=here\nRUN echo built > /built\n")
image, log = client.images.build(fileobj=dockerfile, tag="built:1", rm=True)
assert any("Successfully built" in line.get("stream", "") for line in log)
check("build", (image.tags, image.labels), (["built:1"], {"made": "here"}))
check("run what was built", client.containers.run("built:1", ["cat", "/built"], remove=True), b"built\n")
refused("a build", docker.errors.BuildError, lambda: client.images.build(fileobj=io.BytesIO(b"FROM box\nRUN exit 4\n")))
assert image.tag("built", tag="2")
check("tags", sorted(client.images.get("built:1").tags), ["built:1", "built:2"])
check("history", len(image.history()), 3)
saved = b"".join(image.save(named=True))
assert "manifest.json" in tarfile.open(fileobj=io.BytesIO(saved)).getnames()
for tag in ("built:1", "built:2"):
    client.images.remove(tag)
check("load", [each.id for each in client.images.load(saved)], [image.id])
client.images.remove(image.id, force=True)
check("list of images", [each.tags for each in client.images.list()], [["box:latest"]])
client.images.prune()

if len(sys.argv) > 1:
    repository = f"{sys.argv[1]}/some/box"
    client.images.get("box").tag(repository, tag="1")
    assert "digest" in client.images.push(repository, tag="1")
    for line in client.images.push(repository, tag="1", stream=True, decode=True):
        assert "error" not in line, line
    client.images.remove(f"{repository}:1")
    check("pull", sorted(client.images.pull(repository, tag="1").tags), sorted(["box:latest", f"{repository}:1"]))
    found = client.images.get_registry_data(f"{repository}:1")
    assert found.id.startswith("sha256:") and isinstance(found.attrs["Platforms"], list)
    check("login", client.login("somebody", "secret", registry=sys.argv[1])["Status"], "Login Succeeded")
    client.images.remove(f"{repository}:1")
check("prune_builds", client.images.prune_builds()["SpaceReclaimed"], 0)

# Networks and volumes.
pool = docker.types.IPAMConfig(pool_configs=[docker.types.IPAMPool(subnet="172.29.0.0/24")])
network = client.networks.create("network1", driver="bridge", ipam=pool, labels={"n": "1"})
check("network", [each.name for each in client.networks.list(names=["network1"])], ["network1"])
check("subnet", client.networks.get(network.id).attrs["IPAM"]["Config"][0]["Subnet"], "172.29.0.0/24")
server = client.containers.run("box", ["sh", "-c", "echo page > /tmp/index.html; exec busybox httpd -f -p 80 -h /tmp"], detach=True, name="server", network="network1")
for _ in range(100):
    found = client.containers.run("box", ["sh", "-c", "wget -q -O - http://server/ || true"], remove=True, network="network1")
    if found:
        break
check("by its name", found, b"page\n")
check("containers of a network", [each.name for each in client.networks.get(network.id).containers], ["server"])
server.remove(force=True)
member = client.containers.create("box", "true")
network.connect(member, aliases=["m"])
member.reload()
check("connect", list(member.attrs["NetworkSettings"]["Networks"]), ["network1"])
network.disconnect(member)
member.remove()
network.remove()
client.networks.create("network2")
check("networks.prune", client.networks.prune()["NetworksDeleted"], ["network2"])
volume = client.volumes.create(name="foobar", driver="local", labels={"key": "value"})
check("volume", client.volumes.get("foobar").attrs["Labels"], {"key": "value"})
client.containers.run("box", ["sh", "-c", "echo kept > /data/file"], volumes={"foobar": {"bind": "/data", "mode": "rw"}}, remove=True)
mount = docker.types.Mount("/data", "foobar", read_only=True)
check("in the volume", client.containers.run("box", ["cat", "/data/file"], mounts=[mount], remove=True), b"kept\n")
volume.remove()
check("volumes", client.volumes.list(), [])
client.volumes.create()
check("volumes.prune", len(client.volumes.prune()["VolumesDeleted"]), 1)

# The engine.
assert client.ping()
check("version", client.version()["ApiVersion"], "1.47")
assert client.info()["OSType"] == "linux"
assert client.df()["Images"]
since = client.containers.run("box", "true", detach=True)
since.wait()
events = [event["Action"] for event in client.events(since="1", until=docker.utils.datetime_to_timestamp(__import__("datetime").datetime.utcnow()) + 1, filters={"container": since.id}, decode=True)]
check("events", events, ["create", "start", "die"])
since.remove()
refused("a swarm", docker.errors.APIError, client.services.list)
check("ports", client.containers.run("box", STAY, detach=True, name="ports", ports={"80/tcp": ("127.0.0.1", None)}).name, "ports")
assert client.containers.get("ports").ports["80/tcp"][0]["HostPort"]
client.containers.get("ports").remove(force=True)
