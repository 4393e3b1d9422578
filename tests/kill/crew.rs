//! Those who write while processes die: each remembers what it asked for and exactly what was acknowledged.
//!
//! Nobody asks twice for the same: an answer that did not come is unknown for ever, and its record is left alone, so
//! that what must be true at the end is always known.

use std::time::Duration;

use hawser::entropy::Entropy;
use serde_json::{Value as Json, json};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::support::ship::VESSEL;

/// Between two edits of one writer.
const EDIT_PAUSE: Duration = Duration::from_millis(8);

/// After a connection that failed.
const RETRY_PAUSE: Duration = Duration::from_millis(20);

/// Records that a writer keeps alive.
const LIVE_MAX: usize = 6;

/// What was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wish {
    Create,
    Update,
    Delete,
}

/// What came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// 201 or 200, with the whole body.
    Acknowledged { change_id: Uuid, version: u64 },
    /// No answer, half an answer, or one that says that it could not be stored.
    Unknown,
}

/// One request. Its text is in the record's `title` (an owner's) or `assigned_to` (a visitor's), and in no other
/// request.
#[derive(Clone, Debug)]
pub struct Attempt {
    pub entity: Uuid,
    pub wish: Wish,
    pub text: String,
    pub outcome: Outcome,
}

/// Where requests go.
#[derive(Clone)]
pub struct Desk {
    pub client: reqwest::Client,
    /// Up to the collection.
    pub records_url: String,
    /// Where the token appears once the side has been started.
    pub token_file: std::path::PathBuf,
}

impl Desk {
    fn token(&self) -> Option<String> {
        std::fs::read_to_string(&self.token_file).ok().map(|text| text.trim().to_owned())
    }

    async fn send(&self, method: reqwest::Method, path: &str, body: &Json, actor: &str) -> Option<(u16, Json)> {
        let token = self.token()?;
        let request = self.client.request(method, format!("{}{path}", self.records_url)).bearer_auth(token);
        let request = request.header("x-hawser-actor", actor).json(body).send().await.ok()?;
        let status = request.status().as_u16();
        Some((status, serde_json::from_slice(&request.bytes().await.ok()?).ok()?))
    }
}

/// Makes, changes and deletes records that nobody else creates or deletes.
pub struct Owner {
    name: String,
    desk: Desk,
    random: Entropy,
    live: Vec<Uuid>,
    attempts: Vec<Attempt>,
}

impl Owner {
    pub fn new(name: &str, desk: Desk, seed: u64) -> Self {
        Self { name: name.to_owned(), desk, random: Entropy::seeded(seed), live: Vec::new(), attempts: Vec::new() }
    }

    pub async fn run(mut self, stop: CancellationToken) -> Vec<Attempt> {
        while !stop.is_cancelled() {
            let acknowledged = self.step().await;
            tokio::time::sleep(if acknowledged { EDIT_PAUSE } else { RETRY_PAUSE }).await;
        }
        self.attempts
    }

    async fn step(&mut self) -> bool {
        let roll = self.random.below(100);
        let place = usize::try_from(self.random.below(self.live.len().max(1) as u64)).expect("small");
        let (wish, entity) = match self.live.get(place) {
            Some(id) if roll >= 30 || self.live.len() >= LIVE_MAX => {
                (if roll < 45 { Wish::Delete } else { Wish::Update }, *id)
            }
            _ => (Wish::Create, self.random.uuid()),
        };
        let text = format!("{}-{}", self.name, self.attempts.len());
        let outcome = self.ask(wish, entity, &text).await;
        let known = outcome != Outcome::Unknown;
        match (wish, known) {
            (Wish::Create, true) => self.live.push(entity),
            (Wish::Update, true) | (Wish::Create, false) => {}
            (Wish::Delete, _) | (Wish::Update, false) => self.live.retain(|id| *id != entity),
        }
        self.attempts.push(Attempt { entity, wish, text, outcome });
        known
    }

    async fn ask(&self, wish: Wish, entity: Uuid, text: &str) -> Outcome {
        let path = format!("/{entity}");
        let answer = match wish {
            Wish::Create => {
                let body =
                    json!({"id": entity, "title": text, "notes": format!("by {text}"), "extra": {"n": [1, text]}});
                self.desk.send(reqwest::Method::POST, "", &body, text).await
            }
            Wish::Update => {
                let body = json!({"title": text, "source": text});
                self.desk.send(reqwest::Method::PATCH, &path, &body, text).await
            }
            Wish::Delete => self.desk.send(reqwest::Method::DELETE, &path, &Json::Null, text).await,
        };
        judge(answer, &format!("{wish:?} of {entity} by {text}"))
    }
}

/// Edits, ashore, records that were made on board: another field than their owners.
pub struct Visitor {
    desk: Desk,
    random: Entropy,
}

impl Visitor {
    pub fn new(desk: Desk, seed: u64) -> Self {
        Self { desk, random: Entropy::seeded(seed) }
    }

    pub async fn run(mut self, stop: CancellationToken) -> Vec<Attempt> {
        let mut attempts = Vec::new();
        while !stop.is_cancelled() {
            tokio::time::sleep(RETRY_PAUSE).await;
            let Some(entity) = self.choose().await else { continue };
            let text = format!("visitor-{}", attempts.len());
            let (body, path) = (json!({"assigned_to": text}), format!("/{entity}"));
            let answer = self.desk.send(reqwest::Method::PATCH, &path, &body, &text).await;
            // Its owner may have deleted it since: that answer is as good as any.
            if answer.as_ref().is_some_and(|(status, _)| *status == 404) {
                continue;
            }
            let outcome = judge(answer, &format!("{text} at {entity}"));
            attempts.push(Attempt { entity, wish: Wish::Update, text, outcome });
        }
        attempts
    }

    async fn choose(&mut self) -> Option<Uuid> {
        let (status, list) = self.desk.send(reqwest::Method::GET, "", &Json::Null, "visitor").await?;
        let all = list.as_array().filter(|all| status == 200 && !all.is_empty())?;
        let place = usize::try_from(self.random.below(all.len() as u64)).ok()?;
        Uuid::parse_str(all[place]["id"].as_str()?).ok()
    }
}

/// Any answer but an acknowledgement or "not stored" says that the store forgot something, or never should have been
/// given.
fn judge(answer: Option<(u16, Json)>, what: &str) -> Outcome {
    match answer {
        Some((200 | 201, body)) => Outcome::Acknowledged {
            change_id: body["changeId"].as_str().and_then(|id| Uuid::parse_str(id).ok()).expect("changeId"),
            version: body["version"].as_u64().expect("version"),
        },
        None | Some((503, _)) => Outcome::Unknown,
        Some((status, body)) => panic!("{what}, whose edits before were acknowledged: {status} {body} ({VESSEL})"),
    }
}
