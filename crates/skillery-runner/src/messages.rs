//! Whole messages between the runner and a parent of workers, and the descriptors that come with them.

use std::io::{self, IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
    SendAncillaryMessage, SendFlags, recv, recvmsg, sendmsg,
};

use crate::hosts::MAX_HOSTS;

/// Longer than any message of a parent.
pub(crate) const MESSAGE: usize = 64 * 1024;
/// What a message to a parent has at most: the descriptors of a worker.
const SENT: usize = 4;

/// How long a parent may take to read what stands before a message to it.
const ROOM: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// Sends one message. It waits only where many stand before it.
pub(crate) fn send(socket: impl AsFd, message: &[u8], descriptors: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(SENT))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    if !descriptors.is_empty() && !rights.push(SendAncillaryMessage::ScmRights(descriptors)) {
        return Err(io::Error::other("more descriptors than a message may have"));
    }
    let mut send =
        || sendmsg(&socket, &[IoSlice::new(message)], &mut rights, SendFlags::NOSIGNAL | SendFlags::DONTWAIT);
    let sent = match send() {
        Err(Errno::AGAIN) => {
            poll(&mut [PollFd::new(&socket, PollFlags::OUT)], Some(&ROOM))?;
            send()
        }
        sent => sent,
    };
    sent.map(drop).map_err(io::Error::from)
}

/// One message, if there is one: an error of the kind `WouldBlock` otherwise. Empty at the end.
pub(crate) fn receive(socket: impl AsFd, buffer: &mut [u8]) -> io::Result<&[u8]> {
    let (_, count) = recv(socket, &mut *buffer, RecvFlags::DONTWAIT)?;
    Ok(&buffer[..count.min(buffer.len())])
}

/// Waits for one message, and the descriptors that come with it; empty at the end.
pub(crate) fn wait_with_descriptors(
    socket: &OwnedFd,
    timeout: Duration,
) -> io::Result<(Vec<u8>, Vec<OwnedFd>)> {
    set_socket_timeout(socket, Timeout::Recv, Some(timeout))?;
    let mut message = vec![0; MESSAGE];
    let (count, descriptors) = loop {
        match receive_with_descriptors(socket, &mut message, RecvFlags::empty()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            received => break received?,
        }
    };
    message.truncate(count);
    set_socket_timeout(socket, Timeout::Recv, None)?;
    Ok((message, descriptors))
}

/// Receives once: how many bytes came, and which descriptors with them.
pub(crate) fn receive_with_descriptors(
    socket: impl AsFd,
    buffer: &mut [u8],
    flags: RecvFlags,
) -> io::Result<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(MAX_HOSTS))];
    let mut ancillary = RecvAncillaryBuffer::new(&mut space);
    let pieces = &mut [IoSliceMut::new(buffer)];
    let received = recvmsg(socket, pieces, &mut ancillary, RecvFlags::CMSG_CLOEXEC | flags)?;
    let mut descriptors = Vec::new();
    for came in ancillary.drain() {
        if let RecvAncillaryMessage::ScmRights(came) = came {
            descriptors.extend(came);
        }
    }
    if received.flags.contains(ReturnFlags::CTRUNC) {
        return Err(io::Error::other("too many files are open"));
    }
    Ok((received.bytes, descriptors))
}
