//! What attackers cost by being busy on the same cores, whatever the server does: what the rows of attacks are read against.

use std::{hint::black_box, net::SocketAddr, sync::OnceLock};

use super::{
    Attack, Session,
    wire::{PREFACE, connect, read_now, write_all},
};

/// As many as keep both of the attackers' threads busy.
const BUSY: usize = 4;

pub fn controls() -> Vec<Attack> {
    vec![
        Attack::new("(nothing)", 0, |_| async { Ok(()) }),
        Attack::new("(attackers who only keep the cores busy)", BUSY, |session| async move {
            session.tally.connections.add(1);
            while !session.is_over() {
                black_box((0..100_000_u64).fold(0, |sum, number| black_box(sum ^ number)));
                tokio::task::yield_now().await;
            }
            Ok(())
        }),
        Attack::new("(attackers who send to somebody else)", BUSY, |session| async move {
            let socket = connect(somebody_else(), &session.tally).await?;
            let bytes = PREFACE.repeat(1_000);
            while !session.is_over() {
                write_all(&socket, &bytes, &session.tally).await?;
            }
            Ok(())
        }),
        Attack::new("(attackers who connect to somebody else)", BUSY, |session: Session| async move {
            while !session.is_over() {
                drop(connect(somebody_else(), &session.tally).await?);
            }
            Ok(())
        }),
    ]
}

/// A port where everything is taken and nothing is looked at.
fn somebody_else() -> SocketAddr {
    static ADDRESS: OnceLock<SocketAddr> = OnceLock::new();
    *ADDRESS.get_or_init(|| {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || {
            // Of the attackers: it stands back as they do.
            super::stand_back();
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = tokio::net::TcpListener::from_std(listener).unwrap();
                while let Ok((socket, _)) = listener.accept().await {
                    tokio::spawn(async move {
                        let mut buffer = vec![0; 65_536];
                        while socket.readable().await.is_ok() && read_now(&socket, &mut buffer).is_ok() {}
                    });
                }
            });
        });
        address
    })
}
