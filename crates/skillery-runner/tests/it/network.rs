//! Hosts that skills are granted are reached by any client library; nothing else is.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::{Value, json};
use skillery_runner::{
    Grants, Interpreter, Outcome, Rule, RunError, RunOptions, Sandbox, SkillSource, Status, run_skill,
};

use crate::harness::{Harness, Meeting, run_granted, source, values};

/// A host outside: says `hello PATH` to each HTTP request, until the test ends.
fn web() -> u16 {
    serve(|mut stream| {
        let mut request = [0; 1024];
        let size = stream.read(&mut request).unwrap_or(0);
        let request = String::from_utf8_lossy(&request[..size]).into_owned();
        let path = request.split(' ').nth(1).unwrap_or_default();
        let said = format!("hello {path}");
        let _ = write!(stream, "HTTP/1.0 200 OK\r\nContent-Length: {}\r\n\r\n{said}", said.len());
    })
}

/// Does this with each connection, on a port of the loopback device.
fn serve(with: impl Fn(TcpStream) + Send + Clone + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let with = with.clone();
            std::thread::spawn(move || with(stream));
        }
    });
    port
}

/// A host that answers the first byte with one of its own, and says nothing more.
struct Silent {
    port: u16,
    /// Told when the first byte has come.
    met: std::sync::mpsc::Receiver<()>,
    /// Ends when nobody holds the other end of the first connection any more.
    first: JoinHandle<()>,
}

fn silent() -> Silent {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (tell, met) = std::sync::mpsc::channel();
    let first = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.read_exact(&mut [0]).unwrap();
        let _ = tell.send(());
        let _ = stream.write_all(b"y");
        let _ = stream.read_to_end(&mut Vec::new());
        // Whoever has only said all that it will still listens.
        while stream.write_all(&[0; 4096]).is_ok() {}
    });
    Silent { port, met, first }
}

fn hosts(hosts: &[&str]) -> Grants {
    Grants { hosts: hosts.iter().map(ToString::to_string).collect(), ..Grants::default() }
}

async fn attempt(body: &str, grants: &Grants) -> Outcome {
    attempt_with(body, grants, &RunOptions::default()).await
}

async fn attempt_with(body: &str, grants: &Grants, options: &RunOptions) -> Outcome {
    let code = format!(
        "import os, socket, ssl, threading, time, urllib.request\n\
         def fetch(url):\n    \
             return urllib.request.urlopen(url, timeout=30).read().decode()\n\
         def subject():\n    {}\n",
        body.replace('\n', "\n    ")
    );
    run_granted(&code, json!({}), options, grants.clone()).await
}

#[track_caller]
fn denied(outcome: &Outcome, what: &str) {
    let found = outcome.error.as_ref().and_then(|error| error.rule);
    assert_eq!((outcome.status, found), (Status::Denied, Some(Rule::Network)), "{outcome:#?}");
    let message = &outcome.error.as_ref().unwrap().message;
    assert!(message.contains(&format!("the sandbox denies network: `{what}`; grant the host")), "{message}");
}

#[tokio::test]
async fn what_is_granted_is_reached_by_name() {
    let port = web();
    let granted = hosts(&[&format!("one.localhost:{port}"), &format!("127.0.0.1:{port}"), "localhost:1"]);
    for host in ["one.localhost", "ONE.localhost", "127.0.0.1"] {
        let outcome = attempt(&format!("return fetch('http://{host}:{port}/x')"), &granted).await;
        assert_eq!(outcome.output, json!("hello /x"), "{outcome:#?}");
    }
    // Whoever waits for events waits for the network as well.
    let waits = format!(
        "import asyncio\n\
         async def get():\n    \
             reader, writer = await asyncio.open_connection('one.localhost', {port})\n    \
             writer.write(b'GET /y HTTP/1.0\\r\\n\\r\\n')\n    \
             return (await reader.read()).decode().split()[-1]\n\
         return asyncio.run(get())"
    );
    assert_eq!(attempt(&waits, &granted).await.output, json!("/y"));
}

#[tokio::test]
async fn tls_is_between_the_skill_and_the_host() {
    let meeting = Meeting::new();
    let server = Secure::start(&meeting);
    let granted = Grants {
        read: vec![meeting.path("certificate.pem")],
        ..hosts(&[&format!("secure.localhost:{}", server.port), &format!("other.localhost:{}", server.port)])
    };
    let fetch = |host: &str| {
        let certificate = meeting.path("certificate.pem");
        format!(
            "context = ssl.create_default_context(cafile={certificate:?})\n\
             url = 'https://{host}:{}/'\n\
             return urllib.request.urlopen(url, context=context, timeout=30).read().decode()",
            server.port
        )
    };
    let outcome = attempt(&fetch("secure.localhost"), &granted).await;
    assert_eq!(outcome.output, json!("secure\n"), "{outcome:#?}");
    // The skill knows whom it speaks with.
    let other = attempt(&fetch("other.localhost"), &granted).await;
    let message = other.error.unwrap().message;
    assert_eq!(other.status, Status::Failed);
    assert!(message.contains("CERTIFICATE_VERIFY_FAILED"), "{message}");
}

/// Python's own server of HTTPS, with a certificate that was made for it.
struct Secure {
    child: Child,
    port: u16,
}

impl Secure {
    fn start(meeting: &Meeting) -> Self {
        let made = Command::new("openssl")
            .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"])
            .args(["-subj", "/CN=secure.localhost", "-addext", "subjectAltName=DNS:secure.localhost"])
            .arg("-keyout")
            .arg(meeting.path("key.pem"))
            .arg("-out")
            .arg(meeting.path("certificate.pem"))
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        std::fs::write(meeting.path("index.html"), "secure\n").unwrap();
        let program = "import http.server, ssl\n\
            server = http.server.ThreadingHTTPServer(('127.0.0.1', 0), http.server.SimpleHTTPRequestHandler)\n\
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)\n\
            context.load_cert_chain('certificate.pem', 'key.pem')\n\
            server.socket = context.wrap_socket(server.socket, server_side=True)\n\
            print(server.server_port, flush=True)\n\
            server.serve_forever()";
        let mut child = Command::new("python3")
            .args(["-c", program])
            .current_dir(meeting.path(""))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line)
            .unwrap();
        Self { child, port: line.trim().parse().unwrap() }
    }
}

impl Drop for Secure {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[tokio::test]
async fn nothing_else_is_reached() {
    let (port, other) = (web(), web());
    let granted = hosts(&[&format!("one.localhost:{port}")]);
    let connect = |host: &str, port: u16| format!("socket.create_connection(({host:?}, {port}), 10)");
    denied(&attempt(&connect("one.localhost", other), &granted).await, &format!("one.localhost:{other}"));
    denied(&attempt(&connect("two.localhost", port), &granted).await, &format!("two.localhost:{port}"));
    denied(&attempt(&connect("example.com", 443), &granted).await, "example.com:443");
    for address in ["127.0.0.1", "203.0.113.9", "10.0.0.1", "169.254.169.254"] {
        denied(&attempt(&connect(address, port), &granted).await, &format!("{address}:{port}"));
    }
    for address in ["::1", "2001:db8::1"] {
        denied(&attempt(&connect(address, port), &granted).await, &format!("[{address}]:{port}"));
    }
    let through_library = format!("return fetch('http://example.com:{port}/')");
    denied(&attempt(&through_library, &granted).await, &format!("example.com:{port}"));

    // Nor in another way than over TCP.
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = udp.local_addr().unwrap().port();
    let datagram =
        format!("socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', {port}))");
    denied(&attempt(&datagram, &granted).await, "socket");
    for family in ["AF_UNIX", "AF_NETLINK, socket.SOCK_RAW", "AF_VSOCK", "AF_INET, socket.SOCK_STREAM, 262"] {
        denied(&attempt(&format!("socket.socket(socket.{family})"), &granted).await, "socket");
    }
    for call in ["bind(('127.0.0.1', 0))", "listen()"] {
        let outcome = attempt(&format!("socket.socket().{call}"), &granted).await;
        denied(&outcome, call.split('(').next().unwrap());
    }
    // What is granted nothing hears which host it would need.
    denied(&attempt(&connect("example.com", 443), &Grants::default()).await, "example.com:443");
    denied(&attempt(&connect("127.0.0.1", port), &Grants::default()).await, &format!("127.0.0.1:{port}"));
}

#[tokio::test]
async fn nothing_is_sent_without_a_connection() {
    let port = web();
    let granted = hosts(&[&format!("one.localhost:{port}")]);
    // Landlock would not see it.
    let send = "try:\n    socket.socket().sendto(b'x', 0x20000000, ('127.0.0.1', 9))\nexcept OSError as error:\n    return error.errno";
    let outcome = attempt(send, &granted).await;
    assert_eq!(outcome.output, json!(libc::EOPNOTSUPP), "{outcome:#?}");
    // Nor does one wait for the other side when it is closed.
    let linger = "try:\n    socket.socket().setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, bytes([1, 0, 0, 0, 60, 0, 0, 0]))\nexcept OSError as error:\n    return error.errno";
    let outcome = attempt(linger, &granted).await;
    assert_eq!(outcome.output, json!(libc::ENOPROTOOPT), "{outcome:#?}");
    for family in [libc::AF_INET, libc::AF_TIPC] {
        let pair = format!("socket.socketpair({family}, socket.SOCK_STREAM)");
        for grants in [&granted, &Grants::default()] {
            denied(&attempt(&pair, grants).await, "socketpair");
        }
    }
}

#[tokio::test]
async fn hosts_that_nobody_connects_to_take_no_room() {
    let port = web();
    let names: Vec<String> = (0..64).map(|number| format!("h{number}.localhost:{port}")).collect();
    let granted = hosts(&names.iter().map(String::as_str).collect::<Vec<_>>());
    let both = format!(
        "first = socket.create_connection(('h7.localhost', {port}), 30)\n\
         second = socket.create_connection(('h7.localhost', {port}), 30)\n\
         found = []\n\
         for one in (second, first):\n    \
             one.sendall(b'GET /x HTTP/1.0\\r\\n\\r\\n')\n    \
             found.append(one.recv(1000).decode().split()[1])\n\
         return found"
    );
    let outcome = attempt(&both, &granted).await;
    assert_eq!(outcome.output, json!(["200", "200"]), "{outcome:#?}");
}

#[tokio::test]
async fn addresses_are_granted_as_they_are() {
    let granted = hosts(&["198.51.100.7:9", "[2001:db8::7]:9"]);
    for address in ["198.51.100.7", "2001:db8::7"] {
        let connect = format!("socket.create_connection(({address:?}, 9))\nreturn {address:?}");
        let outcome = attempt(&connect, &granted).await;
        assert_eq!(outcome.output, json!(address), "{outcome:#?}");
    }
    // Its neighbours are not.
    let neighbour = attempt("socket.create_connection(('198.51.100.8', 9), 10)", &granted).await;
    denied(&neighbour, "198.51.100.8:9");
}

fn manifest(permissions: &str, body: &str) -> String {
    format!("# /// script\n# [tool.skillery.permissions]\n# {permissions}\n# ///\n{body}")
}

#[tokio::test]
async fn skills_do_not_see_each_others_hosts() {
    let port = web();
    let skill = |name: &str| {
        let get = format!(
            "import urllib.request\ndef {name}(host):\n    return urllib.request.urlopen('http://' + host).read().decode()\n"
        );
        manifest(&format!("hosts = ['{name}.localhost:{port}']"), &get)
    };
    let harness = Harness::new()
        .skill("one", &skill("one"))
        .skill("two", &skill("two"))
        .granted(hosts(&[&format!("one.localhost:{port}"), &format!("two.localhost:{port}")]));
    let step = |name: &str, skill: &str, host: &str| {
        let host = format!("{host}.localhost:{port}");
        json!({"name": name, "skill": skill, "inputs": {"host": host}, "parallel": true, "on_error": "continue"})
    };
    let steps = [
        step("one_one", "one", "one"),
        step("one_two", "one", "two"),
        step("two_one", "two", "one"),
        step("two_two", "two", "two"),
    ];
    let report = harness.run(json!({"name": "w", "steps": steps}), json!({})).await;
    for (name, expected) in [("one_one", true), ("one_two", false), ("two_one", false), ("two_two", true)] {
        let outcome = report.step(name).unwrap();
        assert_eq!(outcome.status == Status::Success, expected, "{outcome:#?}");
        if !expected {
            denied(outcome, &format!("{}.localhost:{port}", &name[4..]));
        }
    }
}

#[tokio::test]
async fn many_connections_at_once() {
    let port = web();
    let granted = hosts(&[&format!("one.localhost:{port}")]);
    let many = format!(
        "found = []\n\
         def get(start):\n    \
             for number in range(start, 200, 20):\n        \
                 found.append(fetch('http://one.localhost:{port}/%d' % number))\n\
         threads = [threading.Thread(target=get, args=(start,)) for start in range(20)]\n\
         [thread.start() for thread in threads]\n\
         [thread.join() for thread in threads]\n\
         return sorted(found, key=lambda text: int(text.split('/')[1]))"
    );
    let expected: Vec<Value> = (0..200).map(|number| json!(format!("hello /{number}"))).collect();
    // Threads reserve much.
    let roomy = Grants { memory_bytes: 8 << 30, ..granted };
    let outcome = attempt(&many, &roomy).await;
    assert_eq!(outcome.output, json!(expected), "{outcome:#?}");
    // Much in both directions, and an end that is told.
    let echo = serve(|mut stream| {
        let mut all = Vec::new();
        let _ = stream.read_to_end(&mut all);
        let _ = stream.write_all(&all);
    });
    let much = format!(
        "stream = socket.create_connection(('echo.localhost', {echo}))\n\
         stream.sendall(bytes(5 << 20))\n\
         stream.shutdown(socket.SHUT_WR)\n\
         count = 0\n\
         while True:\n    \
             piece = stream.recv(1 << 16)\n    \
             if not piece: return count\n    \
             count += len(piece)"
    );
    let granted = hosts(&[&format!("echo.localhost:{echo}")]);
    assert_eq!(attempt(&much, &granted).await.output, json!(5 << 20));
}

#[tokio::test]
async fn a_connection_ends_with_its_skill() {
    let long = RunOptions::default().timeout;
    // On a busy machine a skill may come to its end before it comes to the host: then it gets more time.
    let short = [5, 20, 60].map(Duration::from_secs);
    for (end, status, times) in [
        ("stream.recv(1)", Status::TimedOut, short.as_slice()),
        ("return 1", Status::Success, &[long]),
        ("os._exit(0)", Status::Failed, &[long]),
        ("stream.shutdown(socket.SHUT_WR)\nreturn 1", Status::Success, &[long]),
    ] {
        let mut met = false;
        for timeout in times {
            let host = silent();
            let granted = hosts(&[&format!("silent.localhost:{}", host.port)]);
            // Who ends before the answer has come may never have been connected to the host.
            let connect = format!(
                "stream = socket.create_connection(('silent.localhost', {}))\n\
                 stream.sendall(b'x')\n\
                 assert stream.recv(1) == b'y'\n{end}",
                host.port
            );
            // The workers stay; what ends is the skill.
            let options = RunOptions { timeout: *timeout, ..RunOptions::default() };
            let outcome = attempt_with(&connect, &granted, &options).await;
            assert_eq!(outcome.status, status, "{outcome:#?}");
            met = host.met.try_recv().is_ok();
            if met {
                tokio::task::spawn_blocking(move || host.first.join().unwrap()).await.unwrap();
                break;
            }
        }
        assert!(met, "{end}: the skill never came to the host");
    }
}

#[tokio::test]
async fn a_host_that_is_not_there_is_the_skills_to_see() {
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let granted = hosts(&[&format!("gone.localhost:{port}")]);
    let outcome = attempt(&format!("return fetch('http://gone.localhost:{port}/')"), &granted).await;
    assert_eq!(outcome.status, Status::Failed, "{outcome:#?}");
    let message = outcome.error.unwrap().message;
    assert!(message.contains("Connection reset by peer"), "{message}");
}

#[tokio::test]
async fn where_hosts_cannot_be_kept_apart_none_are_granted() {
    let sandbox = Sandbox { namespaces: false, allow_weaker: true, ..Sandbox::default() };
    let interpreter = Interpreter::at(Path::new("/usr/bin/python3")).await.unwrap();
    let options = RunOptions { sandbox, interpreter: Some(interpreter), ..RunOptions::default() };
    let skill =
        SkillSource { grants: hosts(&["localhost:1"]), ..source("subject", "def subject(): return 1") };
    let error = run_skill(&skill, values(json!({})), &options, &|_| ()).await.unwrap_err();
    assert!(matches!(&error, RunError::Sandbox(_)), "{error}");
    assert!(error.to_string().contains("hosts are granted, and without namespaces"), "{error}");
}

/// The other half of the next test.
#[tokio::test]
async fn helper_that_connects_without_rights() {
    let Some(port) = std::env::var("SKILLERY_TEST_PORT").ok().and_then(|port| port.parse::<u16>().ok())
    else {
        return;
    };
    let granted = hosts(&[&format!("one.localhost:{port}"), "198.51.100.7:9", "localhost:80"]);
    let outcome = attempt(&format!("return fetch('http://one.localhost:{port}/x')"), &granted).await;
    assert_eq!(outcome.output, json!("hello /x"), "{outcome:#?}");
    let other = attempt("socket.create_connection(('127.0.0.1', 81))", &granted).await;
    denied(&other, "127.0.0.1:81");
}

#[tokio::test]
async fn a_user_without_rights_reaches_hosts_too() {
    if !nix::unistd::geteuid().is_root() {
        return;
    }
    let copy = tempfile::Builder::new()
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o755))
        .tempdir()
        .unwrap();
    let place = copy.path().join("tests");
    std::fs::copy(std::env::current_exe().unwrap(), &place).unwrap();
    let output = Command::new("setpriv")
        .args(["--reuid=65533", "--regid=65533", "--clear-groups"])
        .arg(&place)
        .args(["--exact", "network::helper_that_connects_without_rights"])
        .env("SKILLERY_TEST_PORT", web().to_string())
        .env("SKILLERY_PYTHON", "/usr/bin/python3")
        .current_dir("/")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}
