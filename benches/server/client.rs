//! A client that does as little as can be: one connection, one request again and again.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

/// Where a request goes, and its bytes.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// The server.
    Tcp { port: u16, request: Vec<u8> },
    /// The engine's child.
    Socket { path: PathBuf, request: Vec<u8> },
}

impl Place {
    /// The same request for a server on another port.
    pub(crate) fn at(&self, port: u16) -> Self {
        let (Self::Tcp { request, .. } | Self::Socket { request, .. }) = self;
        Self::Tcp { port, request: request.clone() }
    }
}

/// What no head is longer than.
const LONGEST_HEAD: usize = 8 * 1024;

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A connection that stays open.
pub(crate) struct Client {
    stream: BufReader<Box<dyn Stream>>,
    request: Vec<u8>,
    head: Vec<u8>,
    piece: Vec<u8>,
    /// What the last answer said of the connection.
    is_over: bool,
}

impl Client {
    pub(crate) fn connect(place: &Place) -> Self {
        let (stream, request): (Box<dyn Stream>, _) = match place {
            Place::Tcp { port, request } => {
                let stream = TcpStream::connect(("127.0.0.1", *port)).unwrap();
                stream.set_nodelay(true).unwrap();
                (Box::new(stream), request)
            }
            Place::Socket { path, request } => (Box::new(UnixStream::connect(path).unwrap()), request),
        };
        let stream = BufReader::with_capacity(256 * 1024, stream);
        Self {
            stream,
            request: request.clone(),
            head: Vec::new(),
            piece: vec![0; 256 * 1024],
            is_over: false,
        }
    }

    /// Sends another request from now on.
    pub(crate) fn ask_for(&mut self, place: &Place) {
        let (Place::Tcp { request, .. } | Place::Socket { request, .. }) = place;
        self.request.clone_from(request);
    }

    /// Sends the request and reads its answer, which is whole and good; the bytes of its body.
    pub(crate) fn call(&mut self) -> u64 {
        let (status, bytes) = self.exchange();
        assert!((200..300).contains(&status), "{status}");
        bytes
    }

    /// Sends the request and reads its answer, whatever it says: the status and the bytes of its body.
    pub(crate) fn exchange(&mut self) -> (u16, u64) {
        self.stream.get_mut().write_all(&self.request).unwrap();
        let (status, length, is_over) = self.read_head();
        self.is_over |= is_over;
        let bytes = match length {
            Some(length) => self.skip(length),
            // Such an answer has no body.
            None if status == 304 => 0,
            None => self.skip_chunks(),
        };
        (status, bytes)
    }

    /// Reads a head: its status, the length of the body where it says it, and whether the connection is over.
    fn read_head(&mut self) -> (u16, Option<u64>, bool) {
        self.head.clear();
        loop {
            let before = self.head.len();
            let piece = self.stream.fill_buf().unwrap();
            assert!(!piece.is_empty(), "the answer breaks off");
            let piece = &piece[..piece.len().min(LONGEST_HEAD)];
            self.head.extend_from_slice(piece);
            let Some(end) = memchr::memmem::find(&self.head, b"\r\n\r\n") else {
                let read = piece.len();
                self.stream.consume(read);
                continue;
            };
            self.stream.consume(end + 4 - before);
            return head(&self.head[..end]);
        }
    }

    /// True where the last answer ended the connection.
    pub(crate) fn is_over(&self) -> bool {
        self.is_over
    }

    fn skip_chunks(&mut self) -> u64 {
        let mut total = 0;
        loop {
            let length = u64::from_str_radix(&self.read_line(), 16).unwrap();
            total += self.skip(length);
            assert_eq!(self.read_line(), "");
            if length == 0 {
                return total;
            }
        }
    }

    fn skip(&mut self, length: u64) -> u64 {
        let mut left = length;
        while left > 0 {
            let most = usize::try_from(left).unwrap().min(self.piece.len());
            let read = self.stream.read(&mut self.piece[..most]).unwrap();
            assert!(read > 0, "the answer breaks off");
            left -= read as u64;
        }
        length
    }

    fn read_line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).unwrap();
        line.trim_end().to_owned()
    }

    /// Sends one request and reads everything up to the end of its connection.
    pub(crate) fn ask(place: &Place) -> Vec<u8> {
        let mut client = Self::connect(place);
        client.stream.get_mut().write_all(&client.request).unwrap();
        let mut answer = Vec::new();
        let _ = client.stream.read_to_end(&mut answer);
        answer
    }

    /// The same as text.
    pub(crate) fn ask_text(place: &Place) -> String {
        String::from_utf8_lossy(&Self::ask(place)).into_owned()
    }
}

/// What a head says of its answer: see [`Client::read_head`]. Those who are asked write names in small
/// letters.
fn head(text: &[u8]) -> (u16, Option<u64>, bool) {
    let number = |digits: &[u8]| std::str::from_utf8(digits).unwrap().parse::<u64>().unwrap();
    let behind = |name: &[u8]| memchr::memmem::find(text, name).map(|place| &text[place + name.len()..]);
    let status = number(&text["HTTP/1.1 ".len()..][..3]);
    let length =
        behind(b"\r\ncontent-length: ").map(|rest| number(rest.split(|byte| *byte == b'\r').next().unwrap()));
    (u16::try_from(status).unwrap(), length, behind(b"\r\nconnection: close").is_some())
}
