//! The page on board and the files it is made of. All of it is in the binary; nothing is asked of the network.
//!
//! The page is a frame; `live.js` fills it from the stream. No script or style stands inline, so that the content
//! policy can forbid both. Nothing that a sensor or a person said is written into HTML here.

use std::sync::LazyLock;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use maud::{DOCTYPE, Markup, html};
use sha2::{Digest as _, Sha256};
use tower_http::compression::CompressionLayer;

/// A file of the page.
struct Asset {
    path: &'static str,
    mime: &'static str,
    body: &'static str,
}

const ASSETS: [Asset; 7] = [
    Asset { path: "/assets/style.css", mime: "text/css; charset=utf-8", body: include_str!("assets/style.css") },
    Asset { path: "/assets/units.js", mime: "text/javascript; charset=utf-8", body: include_str!("assets/units.js") },
    Asset { path: "/assets/live.js", mime: "text/javascript; charset=utf-8", body: include_str!("assets/live.js") },
    Asset {
        path: "/assets/gateway.js",
        mime: "text/javascript; charset=utf-8",
        body: include_str!("assets/gateway.js"),
    },
    Asset { path: "/assets/system.js", mime: "text/javascript; charset=utf-8", body: include_str!("assets/system.js") },
    Asset { path: "/assets/fleet.js", mime: "text/javascript; charset=utf-8", body: include_str!("assets/fleet.js") },
    Asset { path: "/assets/icon.svg", mime: "image/svg+xml", body: include_str!("assets/icon.svg") },
];

/// The page on board, rendered once.
static PAGE: LazyLock<String> = LazyLock::new(|| onboard().into_string());

/// Routes of the page and of its files.
pub fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    asset_routes()
        .route("/", get(|request: Request| async move { cached(&request, "text/html; charset=utf-8", &PAGE) }))
}

/// Routes of the files alone; the fleet's page uses them too.
pub fn asset_routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    let mut router = Router::new();
    for asset in &ASSETS {
        let answer = move |request: Request| async move { cached(&request, asset.mime, asset.body) };
        router = router.route(asset.path, get(answer));
    }
    // The scripts are 20 KB as written and 7 KB packed.
    router.layer(CompressionLayer::new())
}

/// The body, or 304 when the browser has it: files change with the firmware only, yet must change at once then.
fn cached(request: &Request, mime: &'static str, body: &'static str) -> Response {
    let digest = Sha256::digest(body.as_bytes());
    let tag = digest[..8].iter().fold(String::from("\""), |tag, byte| format!("{tag}{byte:02x}")) + "\"";
    let has_it = request.headers().get(IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == tag.as_bytes());
    let mut response = if has_it { StatusCode::NOT_MODIFIED.into_response() } else { body.into_response() };
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(mime));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(ETAG, tag);
    }
    response
}

/// The frame that both pages share.
pub(super) fn document(title: &str, script: &str, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1, viewport-fit=cover";
                meta name="color-scheme" content="dark light";
                meta name="theme-color" media="(prefers-color-scheme: dark)" content="#0a1018";
                meta name="theme-color" media="(prefers-color-scheme: light)" content="#eef2f6";
                title { (title) }
                link rel="icon" type="image/svg+xml" href="/assets/icon.svg";
                link rel="stylesheet" href="/assets/style.css";
                link rel="modulepreload" href="/assets/units.js";
                script type="module" src=(script) {}
            }
            body { (body) }
        }
    }
}

/// The bar at the top that both pages share.
pub(super) fn top_bar(title: &str, title_id: &str, clock_note: &str) -> Markup {
    html! {
        header class="top" {
            h1 id=(title_id) { (title) }
            div class="clock" {
                span id="clock" class="digits" { "--:--:--" }
                span id="clock-quality" class="note" { (clock_note) }
            }
            span id="live" class="live" { "Connecting" }
        }
        p id="lost" class="lost" role="status" hidden {
            strong { "No connection to the gateway." } " What you see is old. Trying again by itself."
        }
        noscript {
            p class="lost" { "This page needs JavaScript. The values as JSON: " a href="/api/values" { "/api/values" } }
        }
    }
}

fn onboard() -> Markup {
    let body = html! {
        (top_bar("Hawser", "vessel", "UTC"))
        section id="alarms" class="alarms" aria-live="polite" aria-label="Alarms" { ul { li { "No alarms" } } }
        main {
            div class="values" {
                p id="waiting" class="note" { "Waiting for the first reading" }
                @for (id, name) in [
                    ("navigation", "Navigation"), ("environment", "Environment"), ("propulsion", "Propulsion"),
                    ("electrical", "Electrical"),
                    ("tanks", "Tanks"), ("steering", "Steering"), ("other", "Other"),
                ] {
                    section id=(id) aria-labelledby={ (id) "-title" } hidden {
                        h2 id={ (id) "-title" } { (name) }
                        div class="tiles" {}
                    }
                }
                (targets())
            }
            aside class="system" aria-label="Gateway" {
                @for (id, name) in [
                    ("shore", "Shore"), ("buses", "Buses"), ("store", "Store"), ("brokers", "Brokers"),
                    ("records", "Records"), ("system", "System"),
                ] {
                    section class="card" aria-labelledby={ (id) "-title" } {
                        h2 id={ (id) "-title" } { (name) }
                        div id=(id) {}
                        @if id == "system" { div id="system-actions" class="actions" {} }
                    }
                }
            }
        }
        footer {
            span id="version" { "Hawser" }
            nav aria-label="Data" {
                a href="/api/status" { "Status" } a href="/api/values" { "Values" } a href="/metrics" { "Metrics" }
            }
        }
        (why())
        (sign_in())
    };
    document("Hawser", "/assets/live.js", &body)
}

fn targets() -> Markup {
    html! {
        details id="ais" class="card" hidden {
            summary { h2 { "AIS targets" } span id="target-count" class="count digits" { "0" } }
            div class="scroll" {
                table {
                    thead { tr { th { "Name" } th { "Range" } th { "Speed" } th { "Course" } th { "Age" } } }
                    tbody id="targets" {}
                }
            }
        }
    }
}

/// Asked for when something is ordered without a token.
fn sign_in() -> Markup {
    html! {
        dialog id="sign-in" aria-labelledby="sign-in-title" {
            h2 id="sign-in-title" { "Who orders this?" }
            form id="sign-in-form" {
                label for="sign-in-code" { "The setup code from the console of the box, or the API token" }
                input id="sign-in-code" autocomplete="off" autocapitalize="characters" required;
                p id="sign-in-note" class="note" role="alert" {}
                button type="submit" { "Go on" } " "
                button id="sign-in-close" type="button" { "Cancel" }
            }
        }
    }
}

fn why() -> Markup {
    html! {
        dialog id="why" aria-labelledby="why-title" {
            p class="note" { "Why is this number shown?" }
            h2 id="why-title" {}
            dl id="why-facts" {}
            button id="why-close" type="button" { "Close" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes of scripts that a phone on a bad Wi-Fi loads for the page on board; without comments and indents it is
    /// half.
    const SCRIPT_BYTES_MAX: usize = 28 << 10;

    #[test]
    fn the_page_asks_nothing_of_the_network_and_has_nothing_inline() {
        for text in ASSETS.iter().map(|asset| asset.body).chain([PAGE.as_str()]) {
            let strange = text.replace("http://www.w3.org/2000/svg", "");
            assert!(!strange.contains("http://") && !strange.contains("https://"), "{text}");
            assert!(!text.contains("innerHTML"));
        }
        assert!(!PAGE.contains("<style") && !PAGE.contains(" style=") && !PAGE.contains("onclick"));
        assert_eq!(PAGE.matches("<script").count(), 1);
    }

    #[test]
    fn the_scripts_stay_small() {
        let scripts = ASSETS.iter().filter(|asset| asset.path.ends_with(".js"));
        let bytes: usize = scripts.map(|asset| asset.body.len()).sum();
        assert!(bytes < SCRIPT_BYTES_MAX, "{bytes} bytes");
    }
}
