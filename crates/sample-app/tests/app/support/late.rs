//! A PostgreSQL that is still starting up when it is first asked.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::thread;

use super::Database;

/// The length of a request for encryption, which comes before the actual start-up message.
const ENCRYPTION_REQUEST: u32 = 8;

const STARTING_UP: &[u8] = b"SFATAL\0C57P03\0Mthe database system is starting up\0\0";

/// Stands before the server of `database` and refuses the first callers; gives its URL there.
///
/// It goes away with the process.
pub(crate) fn starting_up(database: &Database, refusals: usize) -> String {
    let (scheme, rest) = database.url().split_once("://").unwrap();
    let (authority, name) = rest.split_once('/').unwrap();
    let (user, server) = authority.rsplit_once('@').unwrap();
    let server = server.to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for _ in 0..refusals {
            refuse(listener.accept().unwrap().0).unwrap();
        }
        for caller in listener.incoming() {
            let (caller, server) = (caller.unwrap(), TcpStream::connect(&server).unwrap());
            pump(caller.try_clone().unwrap(), server.try_clone().unwrap());
            pump(server, caller);
        }
    });
    format!("{scheme}://{user}@{address}/{name}")
}

/// Says what a server says that is not ready.
fn refuse(mut caller: TcpStream) -> io::Result<()> {
    while read_message(&mut caller)? == ENCRYPTION_REQUEST {
        caller.write_all(b"N")?;
    }
    let length = u32::try_from(4 + STARTING_UP.len()).unwrap();
    caller.write_all(b"E")?;
    caller.write_all(&length.to_be_bytes())?;
    caller.write_all(STARTING_UP)
}

/// Reads a message of the start-up; its length.
fn read_message(caller: &mut TcpStream) -> io::Result<u32> {
    let mut length = [0; 4];
    caller.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    caller.read_exact(&mut vec![0; length as usize - 4])?;
    Ok(length)
}

/// Copies from one to the other until either of them closes.
fn pump(mut from: TcpStream, mut to: TcpStream) {
    thread::spawn(move || {
        let _closed = io::copy(&mut from, &mut to);
        let _closed = to.shutdown(Shutdown::Both);
    });
}
