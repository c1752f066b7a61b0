//! The messages of a call, as plain values and as bytes (juju §2.2, juju §2.3,
//! juju §2.4).
//!
//! A call is a header and its arguments, an answer a header and a body; on a
//! new connection each is preceded by the definitions of its types. The IDs are
//! those that Go's client and server assign first, so that the bytes are equal.

use crate::gob::{self, StructWriter, Value};

const BOOL: i64 = 1;
const INT: i64 = 2;
const UINT: i64 = 3;
const BYTES: i64 = 5;
const STRING: i64 = 6;
const HEADER: i64 = 64;
const BODY: i64 = 65;
const STRINGS: i64 = 66;

/// The one method of the protocol.
pub(crate) const METHOD: &str = "Jujuc.Main";
/// A method that no agent has.
pub(crate) const PROBE: &str = "Jujuc.Probe";

/// A hook tool to run. Arguments are bytes of any encoding.
#[derive(Debug)]
pub struct Call<'a, A> {
    /// The ID of the running hook: `JUJU_CONTEXT_ID`.
    pub context_id: &'a str,
    /// The caller's directory, absolute: the base of relative file names.
    pub dir: &'a str,
    /// The tool's name.
    pub tool: &'a str,
    /// The arguments, without the name.
    pub args: &'a [A],
    /// The standard input; none differs from empty.
    pub stdin: Option<&'a [u8]>,
}

/// The result of a tool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reply {
    /// The exit code.
    pub code: i32,
    /// The standard output.
    pub stdout: Vec<u8>,
    /// The standard error.
    pub stderr: Vec<u8>,
}

/// A call that the agent received.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Request {
    /// The ID of the running hook.
    pub context_id: String,
    /// The caller's directory.
    pub dir: String,
    /// The tool's name.
    pub tool: String,
    /// The arguments.
    pub args: Vec<String>,
    /// The standard input, if the caller passed any.
    pub stdin: Option<Vec<u8>>,
    /// The token that clients of Juju before 4.0 send.
    pub token: Option<String>,
}

/// Writes calls of a client; the first on a connection defines the types.
pub(crate) fn write_call<A: AsRef<[u8]>>(
    out: &mut Vec<u8>,
    method: &str,
    seq: u64,
    call: &Call<A>,
) {
    let first = seq == 0;
    if first {
        let fields = [("ServiceMethod", STRING), ("Seq", UINT)];
        gob::define_struct(out, HEADER, "Request", &fields);
    }
    write_header(out, method, seq, "");
    if first {
        let fields = [
            ("ContextId", STRING),
            ("Dir", STRING),
            ("CommandName", STRING),
            ("Args", STRINGS),
            ("StdinSet", BOOL),
            ("Stdin", BYTES),
        ];
        gob::define_struct(out, BODY, "Request", &fields);
        gob::define_slice(out, STRINGS, "[]string", STRING);
    }
    gob::message(out, |writer| {
        writer.int(BODY);
        let mut value = StructWriter::new(writer);
        value.string(0, call.context_id.as_bytes());
        value.string(1, call.dir.as_bytes());
        value.string(2, call.tool.as_bytes());
        if !call.args.is_empty() {
            let list = value.field(3);
            list.uint(call.args.len() as u64);
            call.args.iter().for_each(|arg| list.bytes(arg.as_ref()));
        }
        if let Some(stdin) = call.stdin {
            value.field(4).uint(1);
            value.string(5, stdin);
        }
        value.end();
    });
}

fn write_header(out: &mut Vec<u8>, method: &str, seq: u64, error: &str) {
    gob::message(out, |writer| {
        writer.int(HEADER);
        let mut value = StructWriter::new(writer);
        value.string(0, method.as_bytes());
        if seq != 0 {
            value.field(1).uint(seq);
        }
        value.string(2, error.as_bytes());
        value.end();
    });
}

/// Writes the answers of a server on one connection.
#[derive(Default)]
pub(crate) struct Answers {
    last_id: i64,
    reply: Option<i64>,
    refusal: Option<i64>,
}

impl Answers {
    pub fn write(
        &mut self,
        out: &mut Vec<u8>,
        method: &str,
        seq: u64,
        answer: &Result<Reply, String>,
    ) {
        if self.last_id == 0 {
            let fields = [("ServiceMethod", STRING), ("Seq", UINT), ("Error", STRING)];
            gob::define_struct(out, HEADER, "Response", &fields);
            self.last_id = HEADER;
        }
        match answer {
            Ok(reply) => {
                write_header(out, method, seq, "");
                self.write_reply(out, reply);
            }
            Err(message) => {
                write_header(out, method, seq, message);
                self.write_refusal(out);
            }
        }
    }

    fn write_reply(&mut self, out: &mut Vec<u8>, reply: &Reply) {
        let id = match self.reply {
            Some(id) => id,
            None => {
                self.last_id += 1;
                let fields = [("Code", INT), ("Stdout", BYTES), ("Stderr", BYTES)];
                gob::define_struct(out, self.last_id, "ExecResponse", &fields);
                *self.reply.insert(self.last_id)
            }
        };
        gob::message(out, |writer| {
            writer.int(id);
            let mut value = StructWriter::new(writer);
            if reply.code != 0 {
                value.field(0).int(i64::from(reply.code));
            }
            value.string(1, &reply.stdout);
            value.string(2, &reply.stderr);
            value.end();
        });
    }

    /// The body of a rejection is a value of a struct without name or fields.
    fn write_refusal(&mut self, out: &mut Vec<u8>) {
        let id = match self.refusal {
            Some(id) => id,
            None => {
                self.last_id += 1;
                gob::define_struct(out, self.last_id, "", &[]);
                *self.refusal.insert(self.last_id)
            }
        };
        gob::message(out, |writer| {
            writer.int(id);
            StructWriter::new(writer).end();
        });
    }
}

/// Returns the fields of a decoded struct by name; a missing one is zero.
pub(crate) struct Fields(Vec<(String, Value)>);

impl Fields {
    pub fn of(value: Value) -> Self {
        match value {
            Value::Struct(fields) => Fields(fields),
            _ => Fields(Vec::new()),
        }
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        let position = self.0.iter().position(|(field, _)| field == name)?;
        Some(self.0.swap_remove(position).1)
    }

    pub fn bytes(&mut self, name: &str) -> Vec<u8> {
        match self.take(name) {
            Some(Value::Bytes(bytes)) => bytes,
            _ => Vec::new(),
        }
    }

    pub fn string(&mut self, name: &str) -> String {
        String::from_utf8_lossy(&self.bytes(name)).into_owned()
    }

    pub fn uint(&mut self, name: &str) -> u64 {
        match self.take(name) {
            Some(Value::Uint(value)) => value,
            _ => 0,
        }
    }

    fn int(&mut self, name: &str) -> i64 {
        match self.take(name) {
            Some(Value::Int(value)) => value,
            _ => 0,
        }
    }

    fn bool(&mut self, name: &str) -> bool {
        matches!(self.take(name), Some(Value::Bool(true)))
    }

    fn strings(&mut self, name: &str) -> Vec<String> {
        let Some(Value::Slice(values)) = self.take(name) else {
            return Vec::new();
        };
        let text = |value| match value {
            Value::Bytes(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            _ => String::new(),
        };
        values.into_iter().map(text).collect()
    }

    pub fn reply(mut self) -> Reply {
        Reply {
            code: i32::try_from(self.int("Code")).unwrap_or(1),
            stdout: self.bytes("Stdout"),
            stderr: self.bytes("Stderr"),
        }
    }

    pub fn request(mut self) -> Request {
        let stdin = self.bytes("Stdin");
        Request {
            context_id: self.string("ContextId"),
            dir: self.string("Dir"),
            tool: self.string("CommandName"),
            args: self.strings("Args"),
            stdin: self.bool("StdinSet").then_some(stdin),
            token: Some(self.string("Token")).filter(|token| !token.is_empty()),
        }
    }
}
