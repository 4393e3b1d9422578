//! Programs under measurement: started, looked at through /proc, and always ended.
//!
//! It refuses to look inside: what counts is what the kernel says that a process uses.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Longer than any start that is worth a figure.
const START_MAX: Duration = Duration::from_secs(60);

/// How long a program may take to end by itself.
const STOP_MAX: Duration = Duration::from_secs(20);

/// Ticks a second in /proc/PID/stat: USER_HZ, 100 on every Linux that Hawser runs on (proc(5)).
const TICKS_PER_SECOND: f64 = 100.0;

/// A program that runs; killed when dropped.
pub struct Process(Child);

impl Process {
    /// Starts it with neither input nor output.
    pub fn spawn(command: &mut Command) -> std::io::Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().map(Self)
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.0.id())).unwrap_or_default()
    }

    /// A line of /proc/PID/status in kB, as MB of 1,000,000 bytes.
    pub fn memory_mb(&self, line: &str) -> f64 {
        let status = self.proc("status");
        let kib = status.lines().find_map(|l| l.strip_prefix(line)?.strip_prefix(':')?.split_whitespace().next());
        kib.and_then(|kib| kib.parse::<f64>().ok()).map_or(f64::NAN, |kib| kib * 1_024.0 / 1e6)
    }

    /// Processor seconds, user and system, of all its threads since the start.
    pub fn cpu_s(&self) -> f64 {
        let stat = self.proc("stat");
        // The name may hold spaces: fields are counted from behind it. utime is field 14, the third is the first here.
        let fields: Vec<&str> = stat.rsplit(") ").next().unwrap_or_default().split(' ').collect();
        let ticks = |at: usize| fields.get(at - 3).and_then(|text| text.parse::<f64>().ok()).unwrap_or(f64::NAN);
        (ticks(14) + ticks(15)) / TICKS_PER_SECOND
    }

    /// Per cent of one core over `time`.
    pub fn cpu_percent(&self, time: Duration) -> f64 {
        let (cpu, wall) = (self.cpu_s(), Instant::now());
        std::thread::sleep(time);
        (self.cpu_s() - cpu) / wall.elapsed().as_secs_f64() * 100.0
    }

    /// Asks it to end and waits; whether it ended by itself and without complaint.
    pub fn stop(mut self) -> bool {
        let _ = kill(Pid::from_raw(self.0.id().cast_signed()), Signal::SIGTERM);
        let since = Instant::now();
        while since.elapsed() < STOP_MAX {
            if let Ok(Some(status)) = self.0.try_wait() {
                return status.success();
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        false
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts `hawser gateway` and waits until it tells systemd that it is ready; the time from before exec(2) to then.
pub fn gateway(dir: &Path, configuration: &str) -> (Process, Duration) {
    let (config, notify) = (dir.join("gateway.toml"), dir.join("notify"));
    std::fs::write(&config, configuration).expect("the directory is ours");
    let _ = std::fs::remove_file(&notify);
    let socket = UnixDatagram::bind(&notify).expect("the path is short enough for a socket");
    socket.set_read_timeout(Some(START_MAX)).expect("the time is not zero");
    let mut command = Command::new(env!("CARGO_BIN_EXE_hawser"));
    command.arg("gateway").arg("--config").arg(&config).arg("--data-dir").arg(dir.join("data"));
    command.args(["--listen", "127.0.0.1:0"]).env("NOTIFY_SOCKET", &notify).env_remove("JOURNAL_STREAM");
    let since = Instant::now();
    let process = Process::spawn(&mut command).expect("cargo built it");
    let mut text = [0; 256];
    loop {
        let count = socket.recv(&mut text).expect("the gateway starts within a minute");
        if text[..count].starts_with(b"READY=1") {
            return (process, since.elapsed());
        }
    }
}

/// Starts mosquitto on a free port of loopback and waits until it listens; `None` where it is not installed.
pub fn mosquitto(dir: &Path) -> Option<(Process, u16)> {
    let port = free_port();
    let config = dir.join("mosquitto.conf");
    std::fs::write(&config, format!("listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n")).ok()?;
    // Debian puts it where only root's PATH reaches.
    let usual = Path::new("/usr/sbin/mosquitto");
    let program = if usual.exists() { usual } else { Path::new("mosquitto") };
    let process = Process::spawn(Command::new(program).arg("-c").arg(&config)).ok()?;
    let listens = || std::net::TcpStream::connect(("127.0.0.1", port)).is_ok();
    wait_until(START_MAX, listens).then_some((process, port))
}

/// Asks again until it is so, or the time is over; whether it is so.
pub fn wait_until(time: Duration, is_so: impl Fn() -> bool) -> bool {
    let since = Instant::now();
    while !is_so() {
        if since.elapsed() > time {
            return false;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    true
}

/// A port of loopback that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has free ports");
    listener.local_addr().expect("it is bound").port()
}

/// A TCP server that takes connections and says nothing, for as long as the process lives.
pub fn silent_server() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("loopback has free ports");
    let port = listener.local_addr().expect("it is bound").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || BufReader::new(stream).read_line(&mut String::new()));
        }
    });
    port
}
