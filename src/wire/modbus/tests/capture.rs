//! Reading along.

use crate::wire::modbus::capture::{Body, Conversation, Direction, Message, OPEN_MAX};

fn heard(conversation: &mut Conversation, direction: Direction, bytes: &[u8]) -> Vec<Message> {
    let mut all = Vec::new();
    conversation.push(direction, bytes, |message| all.push(message));
    all
}

/// A frame of transaction `t` to unit 1.
fn frame(t: u8, pdu: &[u8]) -> Vec<u8> {
    let length = 1 + u8::try_from(pdu.len()).expect("short");
    [&[0, t, 0, 0, 0, length, 1], pdu].concat()
}

fn json(message: &Message) -> String {
    serde_json::to_string(message).expect("plain data")
}

#[test]
fn each_function_in_json() {
    let tail = |direction: Direction, pdu: &[u8]| {
        let message = heard(&mut Conversation::default(), direction, &frame(9, pdu)).remove(0);
        let text = json(&message);
        text[text.find("\"length\"").expect("every message has one")..].to_owned()
    };
    let request = |pdu: &[u8]| tail(Direction::Request, pdu);
    let answer = |pdu: &[u8]| tail(Direction::Answer, pdu);
    assert_eq!(request(&[3, 0, 1, 0, 2]), r#""length":6,"address":1,"count":2}"#);
    assert_eq!(answer(&[3, 4, 0, 1, 0xFF, 0xFF]), r#""length":7,"registers":[1,65535]}"#);
    assert_eq!(request(&[5, 0, 1, 0xFF, 0]), r#""length":6,"address":1,"bits":[true]}"#);
    assert_eq!(request(&[5, 0, 1, 0x12, 0]), r#""length":6,"data":"00011200"}"#, "neither on nor off");
    assert_eq!(answer(&[6, 0, 1, 0, 7]), r#""length":6,"address":1,"registers":[7]}"#);
    assert_eq!(request(&[15, 0, 1, 0, 3, 1, 5]), r#""length":8,"address":1,"bits":[true,false,true]}"#);
    assert_eq!(answer(&[16, 0, 1, 0, 3]), r#""length":6,"address":1,"count":3}"#);
    assert_eq!(request(&[16, 0, 1, 0, 1, 2, 0, 9]), r#""length":9,"address":1,"registers":[9]}"#);
    assert_eq!(request(&[16, 0, 1, 0, 2, 2, 0, 9]), r#""length":9,"data":"00010002020009"}"#, "the count is wrong");
    assert_eq!(request(&[22, 0, 4, 0, 0xF2, 0, 0x25]), r#""length":8,"address":4,"and_mask":242,"or_mask":37}"#);
    assert_eq!(
        request(&[23, 0, 3, 0, 6, 0, 14, 0, 1, 2, 0, 255]),
        r#""length":13,"address":3,"count":6,"write_address":14,"registers":[255]}"#
    );
    assert_eq!(
        answer(&[0x83, 11]),
        format!(
            "{}{}",
            r#""length":3,"exception":11,"reason":"exception 11 (gateway target "#, r#"device failed to respond)"}"#
        )
    );
    assert_eq!(request(&[43, 14, 1, 0]), r#""length":5,"data":"0e0100"}"#);
}

#[test]
fn an_answers_padding_is_cut_when_its_question_is_known() {
    let mut conversation = Conversation::default();
    heard(&mut conversation, Direction::Request, &frame(1, &[1, 0, 0, 0, 3]));
    let bits = |conversation: &mut Conversation, t: u8| {
        let message = heard(conversation, Direction::Answer, &frame(t, &[1, 1, 0b101])).remove(0);
        let Body::Bits { bits } = message.body else { panic!("bits were asked for") };
        bits
    };
    assert_eq!(bits(&mut conversation, 2).len(), 8, "another transaction");
    assert_eq!(bits(&mut conversation, 1), [true, false, true]);
    assert_eq!(bits(&mut conversation, 1).len(), 8, "it was answered already");
}

#[test]
fn frames_are_found_however_the_bytes_are_cut_and_whatever_stands_between() {
    let garbage = [0xFF; 37];
    let stream = [&frame(1, &[3, 0, 0, 0, 1])[..], &garbage, &frame(2, &[4, 0, 0, 0, 1]), &frame(3, &[1, 0])].concat();
    let whole = heard(&mut Conversation::default(), Direction::Request, &stream);
    assert_eq!(whole.iter().map(|message| message.transaction).collect::<Vec<_>>(), [1, 2, 3]);
    for size in 1..stream.len() {
        let mut conversation = Conversation::default();
        let parts: Vec<_> =
            stream.chunks(size).flat_map(|part| heard(&mut conversation, Direction::Request, part)).collect();
        assert_eq!(parts, whole, "in pieces of {size}");
        assert_eq!(conversation.skipped_bytes(), 37);
    }
}

#[test]
fn questions_that_nobody_answers_are_forgotten() {
    let mut conversation = Conversation::default();
    let most = 300 * size_of::<u64>();
    for t in 0..100_000u32 {
        let mut question = frame(0, &[1, 0, 0, 0, 3]);
        question[..2].copy_from_slice(&(t as u16).to_be_bytes());
        heard(&mut conversation, Direction::Request, &question);
        assert!(conversation.held_bytes() <= most.max(OPEN_MAX * 16));
    }
}
