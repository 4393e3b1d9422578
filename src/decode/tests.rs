//! Formats in, lines out.

use super::*;

/// Hands out one byte at a time, so that every state crosses a read.
struct Slow<'a>(&'a [u8]);

impl Read for Slow<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let Some((first, rest)) = self.0.split_first() else { return Ok(0) };
        (buffer[0], self.0) = (*first, rest);
        Ok(1)
    }
}

struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::Error::from(io::ErrorKind::BrokenPipe))
    }
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn run(options: DecodeOptions, input: &str) -> (String, Summary) {
    let mut output = Vec::new();
    let summary = decode(&options, Slow(input.as_bytes()), &mut output).unwrap();
    (String::from_utf8(output).unwrap(), summary)
}

#[test]
fn readings_have_exactly_the_agreed_keys_in_order() {
    let (out, summary) = run(DecodeOptions::default(), "# a log! $GPX\r\n$SDDBT,7.8,f,2.4,M,1.3,F*0D\r\n");
    let expected = r#"{"context":"vessels.self","path":"environment.depth.belowTransducer","value":2.4,"unit":"m","#
        .to_owned()
        + r#""source":"SD","instance":"","quality":"good","observed_at":null}"#
        + "\n";
    assert_eq!(out, expected);
    assert_eq!(summary.to_string(), "1 lines, 1 sentences, 1 readings");
}

#[test]
fn raw_names_the_fields_it_knows() {
    let raw = DecodeOptions { raw: true, ..DecodeOptions::default() };
    let (out, summary) = run(raw, "$HEROT,+000.05,A*35\n$GPXXX,1,,b\n$IIXDR,A,1,D,PTCH,A,2,D,ROLL\n$HEHDT,1,T,9\n");
    let lines: Vec<&str> = out.lines().collect();
    let rot = r#"{"talker":"HE","formatter":"ROT","fields":{"rate_of_turn_deg_min":"+000.05","status":"A"}}"#;
    assert_eq!(lines[0], rot);
    assert_eq!(lines[1], r#"{"talker":"GP","formatter":"XXX","fields":["1","","b"]}"#);
    assert!(lines[2].contains(r#""value":"1","#) && lines[2].contains(r#""value_2":"2","#), "{}", lines[2]);
    assert!(lines[3].contains(r#""field_3":"9""#), "{}", lines[3]);
    assert_eq!(summary.dropped_for(&["unsupported_sentence"]), 1);
}

#[test]
fn what_is_dropped_is_counted_by_reason() {
    let input = "noise\n$HEROT,+000.05,A*AA\n$GPXXX,1\n$HEHDT,1e3,T\n!AIVDM,2,2,1,A,00,0\n$HEHDT,1";
    let (out, summary) = run(DecodeOptions::default(), input);
    assert_eq!(out, "");
    let text = summary.to_string();
    for part in ["not_a_sentence 1", "bad_checksum 1", "bad_field 1", "cut 1", "unsupported_sentence 1", "lost 1"] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_reader_that_went_away_is_told_apart() {
    let error = decode(&DecodeOptions::default(), &b"$HEHDT,1,T\n"[..], Full).unwrap_err();
    assert!(error.is_output_closed());
}
