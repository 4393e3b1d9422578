//! A peer that speaks just enough MQTT 5 to misbehave: each test scripts what it answers, packet by packet. It refuses
//! to be a broker: nothing is routed, nothing is checked. Packets: MQTT 5, section 3.

mod faults;

use std::future::Future;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What the client sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sent {
    Connect { client_id: String, clean_start: bool, keep_alive_s: u16, properties: Vec<u8>, has_will: bool },
    Publish { topic: String, payload: Vec<u8>, qos: u8, packet_id: u16, dup: bool, retain: bool },
    PubRel { packet_id: u16 },
    Subscribe { packet_id: u16 },
    Ping,
    Disconnect,
    Other(u8),
}

/// Reason codes of section 2.4.
pub const SUCCESS: u8 = 0x00;
pub const NOT_AUTHORIZED: u8 = 0x87;
pub const QUOTA_EXCEEDED: u8 = 0x97;

/// One connection, from the broker's side.
pub struct Link(TcpStream);

impl Link {
    /// The next packet; `None` when the client has gone.
    pub async fn read(&mut self) -> Option<Sent> {
        let first = self.0.read_u8().await.ok()?;
        let (mut length, mut shift) = (0usize, 0);
        loop {
            let byte = self.0.read_u8().await.ok()?;
            length |= usize::from(byte & 0x7F) << shift;
            if byte & 0x80 == 0 {
                break;
            }
            shift += 7;
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).await.ok()?;
        Some(parse(first, &body))
    }

    /// Raw bytes, sound or not.
    pub async fn send(&mut self, bytes: &[u8]) {
        // A client that has gone in between is what some scripts are about.
        _ = self.0.write_all(bytes).await;
    }

    /// Reads CONNECT and accepts it.
    pub async fn accept(&mut self, session_present: bool) -> Option<Sent> {
        let connect = self.read().await?;
        self.send(&[0x20, 3, u8::from(session_present), SUCCESS, 0]).await;
        Some(connect)
    }

    pub async fn puback(&mut self, packet_id: u16, reason: u8) {
        self.acknowledge(0x40, packet_id, reason).await;
    }

    pub async fn pubrec(&mut self, packet_id: u16, reason: u8) {
        self.acknowledge(0x50, packet_id, reason).await;
    }

    pub async fn pubcomp(&mut self, packet_id: u16) {
        self.acknowledge(0x70, packet_id, SUCCESS).await;
    }

    async fn acknowledge(&mut self, kind: u8, packet_id: u16, reason: u8) {
        let [high, low] = packet_id.to_be_bytes();
        self.send(&[kind, 3, high, low, reason]).await;
    }

    /// Does what a good broker does about `sent`.
    pub async fn behave(&mut self, sent: &Sent) {
        match sent {
            Sent::Publish { qos: 1, packet_id, .. } => self.puback(*packet_id, SUCCESS).await,
            Sent::Publish { qos: 2, packet_id, .. } => self.pubrec(*packet_id, SUCCESS).await,
            Sent::PubRel { packet_id } => self.pubcomp(*packet_id).await,
            Sent::Subscribe { packet_id } => {
                let [high, low] = packet_id.to_be_bytes();
                self.send(&[0x90, 4, high, low, 0, 1]).await;
            }
            Sent::Ping => self.send(&[0xD0, 0]).await,
            _ => {}
        }
    }
}

fn parse(first: u8, body: &[u8]) -> Sent {
    let number = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
    let text = |at: usize| {
        let length = usize::from(number(at));
        (String::from_utf8_lossy(&body[at + 2..at + 2 + length]).into_owned(), at + 2 + length)
    };
    match first >> 4 {
        1 => {
            // Protocol name 6 bytes, version 1, flags 1, keep alive 2, properties. Ours stay below 128 bytes.
            let length = usize::from(body[10]);
            let properties = body[11..11 + length].to_vec();
            let (client_id, _) = text(11 + length);
            Sent::Connect {
                client_id,
                clean_start: body[7] & 0x02 != 0,
                keep_alive_s: number(8),
                properties,
                has_will: body[7] & 0x04 != 0,
            }
        }
        3 => {
            let qos = (first >> 1) & 3;
            let (topic, mut at) = text(0);
            let packet_id = if qos > 0 { number(at) } else { 0 };
            at += if qos > 0 { 2 } else { 0 };
            let payload = body[at + 1 + usize::from(body[at])..].to_vec();
            Sent::Publish { topic, payload, qos, packet_id, dup: first & 8 != 0, retain: first & 1 != 0 }
        }
        6 => Sent::PubRel { packet_id: number(0) },
        8 => Sent::Subscribe { packet_id: number(0) },
        12 => Sent::Ping,
        14 => Sent::Disconnect,
        other => Sent::Other(other),
    }
}

/// Listens, and runs `script` for each connection with its number from 1, one after the other.
pub async fn fault_broker<F, Done>(script: F) -> (u16, tokio::task::JoinHandle<()>)
where
    F: Fn(u32, Link) -> Done + Send + 'static,
    Done: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let task = tokio::spawn(async move {
        let mut number = 0;
        while let Ok((stream, _)) = listener.accept().await {
            number += 1;
            script(number, Link(stream)).await;
        }
    });
    (port, task)
}
