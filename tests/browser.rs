//! The pages in a real browser, over the whole product: `hawser demo` runs, Debian's Chromium looks at it through
//! Playwright (`tests/browser/`). What is missing is named with the command that installs it; it never skips.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

const INSTALL: &str = "`make setup` installs what the browser test needs (node, Chromium, npm packages)";

/// A demo that is ended by its id, whatever becomes of the test.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        // In order, so that the demo ends its broker; a demo that hangs is the harness's to find.
        let id = nix::unistd::Pid::from_raw(i32::try_from(self.0.id()).expect("a process id"));
        let _ = nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGINT);
        let _ = self.0.wait();
    }
}

fn start_demo(dir: &Path) -> (Demo, Vec<String>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_hawser"))
        .args(["demo", "--listen", "127.0.0.1:0", "--shore-listen", "127.0.0.1:0", "--dir"])
        .arg(dir)
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary under test starts");
    let lines = BufReader::new(child.stdout.take().expect("its output is ours")).lines();
    let demo = Demo(child);
    let urls = lines
        .map(|line| line.expect("it tells in text where to look"))
        .take_while(|line| !line.starts_with("Ctrl-C"))
        .filter_map(|line| line.split_whitespace().last().map(str::to_owned))
        .filter(|word| word.starts_with("http://"))
        .collect();
    (demo, urls)
}

#[test]
fn the_page_on_board_moves_in_a_real_browser() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/browser");
    assert!(tests.join("node_modules/playwright-core").is_dir(), "playwright-core is missing: {INSTALL}");
    let dir = tempfile::tempdir().expect("a directory for the demo");
    let (_demo, urls) = start_demo(&dir.path().join("demo"));
    let [on_board, ashore] = urls.as_slice() else { panic!("the demo named {urls:?}, not two pages") };
    let outcome = Command::new("node")
        .args(["--test", "live.test.mjs"])
        .current_dir(&tests)
        .env("BASE_URL", on_board)
        .env("SHORE_URL", ashore)
        .output()
        .unwrap_or_else(|e| panic!("node cannot be run ({e}): {INSTALL}"));
    let told = String::from_utf8_lossy(&outcome.stdout);
    assert!(outcome.status.success(), "{told}\n{}", String::from_utf8_lossy(&outcome.stderr));
}
