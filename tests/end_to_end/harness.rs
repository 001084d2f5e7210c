//! A real server and a client made of the bindings.

use std::{
    io::{BufRead, BufReader},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Child, Command, Stdio},
};

use tempfile::TempDir;
use timebank::{
    engine::key_file::KeyFile,
    format::{
        proto::{self, event::Kind, ledger_service_client::LedgerServiceClient},
        signature::PrivateKey,
        wire,
    },
    ledger::{Millis, SheetId},
};
use tonic::{Status, transport::Channel};
use tonic_types::StatusExt;

use crate::support::{self, HOUR, bytes, interval, open, record};

/// The request of a method, for stand-ins for servers; one with sheets comes as it was received.
macro_rules! request {
    ($request:ident) => { proto::$request };
    ($request:ident received) => { timebank::server::Received<proto::$request> };
}

/// Such a request, decoded.
macro_rules! decoded {
    ($request:ident) => {
        $request
    };
    ($request:ident received) => {
        $request.map(|received| received.decode().unwrap())
    };
}

pub(crate) use {decoded, request};

pub(crate) struct Ledger {
    pub(crate) folder: TempDir,
    pub(crate) server: Child,
    pub(crate) client: LedgerServiceClient<Channel>,
    pub(crate) url: String,
    pub(crate) origin: String,
    pub(crate) operator: PrivateKey,
    pub(crate) station: [u8; 16],
    pub(crate) people: [[u8; 16]; 2],
    /// The full hour before it was made: hours counted from now would be others once the clock strikes.
    began: i64,
}

pub(crate) fn command(folder: &Path) -> Command {
    let mut command = crate::program::program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--data"]).arg(folder);
    command
}

pub(crate) async fn serve(folder: &Path) -> (Child, LedgerServiceClient<Channel>, String) {
    let mut server = command(folder).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(server.stdout.take().unwrap()).lines();
    let line = lines.map_while(Result::ok).find(|line| line.starts_with("serving ")).expect("it serves");
    let url = line.rsplit_once(" on ").unwrap().1.to_owned();
    (server, LedgerServiceClient::connect(url.clone()).await.unwrap(), url)
}

impl Ledger {
    /// A server with a station and two residents in entry 1.
    pub(crate) async fn new() -> Self {
        // For its owner alone, as a start makes it.
        let private = std::fs::Permissions::from_mode(0o700);
        let folder = tempfile::Builder::new().permissions(private).tempdir().unwrap();
        let (server, client, url) = serve(folder.path()).await;
        let KeyFile { key: operator, origin } = KeyFile::read(&folder.path().join("operator.key")).unwrap();
        let (station, people) = ([1; 16], [[2; 16], [3; 16]]);
        let began = jiff::Timestamp::now().as_millisecond() / HOUR * HOUR;
        let mut ledger = Self { folder, server, client, url, origin, operator, station, people, began };
        let region = proto::RegionDefined { code: "leeds".to_owned(), parent: String::new() };
        let resident = |account| open(account, proto::AccountKind::Resident, "", Some(station));
        let events = vec![
            Kind::RegionDefined(region),
            open(station, proto::AccountKind::Station, "leeds", None),
            resident(people[0]),
            resident(people[1]),
        ];
        ledger.accept(events).await;
        ledger
    }

    pub(crate) fn sheet_by(&self, keys: &[&PrivateKey], events: Vec<Kind>) -> proto::Sheet {
        let now = jiff::Timestamp::now().as_millisecond();
        let draft = wire::Draft {
            origin: &self.origin,
            sheet_id: SheetId(uuid::Uuid::now_v7().into_bytes()),
            issued_at: Millis(now),
            valid_until: Millis(now + HOUR),
            events,
        };
        wire::sign(draft, keys).unwrap()
    }

    pub(crate) fn sheet(&self, events: Vec<Kind>) -> proto::Sheet {
        self.sheet_by(&[&self.operator], events)
    }

    /// Half an hour of service in the `number`-th hour back from the ledger's beginning: 24 of them are a long day, but a legal one.
    pub(crate) fn half_hour(&self, person: usize, number: i64) -> Kind {
        let end = self.began - number * HOUR;
        record(proto::Service {
            station: bytes(&self.station),
            served: Some(interval(end - HOUR / 2, end)),
            ..support::service(self.people[person], end - HOUR / 2, 30)
        })
    }

    pub(crate) async fn submit(
        &mut self,
        sheet: proto::Sheet,
        until: proto::Until,
    ) -> Result<proto::SubmitResponse, Status> {
        let request = proto::SubmitRequest { sheet: Some(sheet), until: i32::from(until) };
        self.client.submit(request).await.map(tonic::Response::into_inner)
    }

    pub(crate) async fn accept(&mut self, events: Vec<Kind>) -> proto::Receipt {
        let sheet = self.sheet(events);
        self.submit(sheet, proto::Until::Durable).await.unwrap().receipt.unwrap()
    }

    /// A new key for an account.
    pub(crate) async fn enrol(&mut self, role: proto::KeyRole, account: [u8; 16]) -> PrivateKey {
        let key = PrivateKey::generate();
        let enrolled = proto::KeyEnrolled {
            public_key: bytes(&key.public_key()),
            possession: bytes(&key.prove_possession(&self.origin)),
            role: i32::from(role),
            account: bytes(&account),
            own_account: bytes::Bytes::new(),
        };
        self.accept(vec![Kind::KeyEnrolled(enrolled)]).await;
        key
    }

    pub(crate) async fn status(&mut self) -> proto::GetStatusResponse {
        self.client.get_status(proto::GetStatusRequest {}).await.unwrap().into_inner()
    }

    /// The status without what goes on by itself: what was recorded is published a moment later, and read again.
    pub(crate) async fn lasting_status(&mut self) -> proto::GetStatusResponse {
        proto::GetStatusResponse { checkpoint_size: 0, scrubbed_to: 0, scrubbed_at_ms: 0, ..self.status().await }
    }

    pub(crate) async fn restart(&mut self) {
        // It may be dead already.
        let _dead = self.server.kill();
        self.server.wait().unwrap();
        (self.server, self.client, self.url) = serve(self.folder.path()).await;
    }

    pub(crate) async fn page(
        &mut self,
        request: proto::ListHistoryRequest,
    ) -> Result<proto::ListHistoryResponse, Status> {
        self.client.list_history(request).await.map(tonic::Response::into_inner)
    }

    pub(crate) fn history(&self, person: usize) -> proto::ListHistoryRequest {
        proto::ListHistoryRequest { account: bytes(&self.people[person]), page_size: 3, ..Default::default() }
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        // It may be dead already.
        let _dead = self.server.kill();
        let _reaped = self.server.wait();
    }
}

pub(crate) fn reason(status: &Status) -> String {
    status.get_details_error_info().map_or_else(String::new, |info| info.reason)
}
