//! Everything on disk. Whatever belongs together changes in one transaction, so that after a crash the tip, the balances,
//! the indexes and the blocks are those of one and the same moment.

use std::fmt;
use std::path::Path;

use bytes::Bytes;
use redb::backends::InMemoryBackend;
use redb::{Database, ReadableDatabase, ReadableTable, Table, TableDefinition, WriteTransaction};
use sealnet::envelope::EnvelopeId;
use sealnet::identity::NodeId;

use super::amount::Amount;
use super::block::Block;
use super::hash::BlockHash;
use super::header::{Header, take, take_u64};
use super::ledger::{Account, Accounts, Undo};

type Hash = &'static [u8; 32];

const META: TableDefinition<&str, &[u8]> = TableDefinition::new("chain");
/// Hash: header. Apart from the bodies, so that starting reads little.
const HEADERS: TableDefinition<Hash, &[u8; Header::LEN]> = TableDefinition::new("headers");
/// Hash: block.
const BLOCKS: TableDefinition<Hash, &[u8]> = TableDefinition::new("blocks");
/// Hash: the accounts it touched, as they were before it.
const UNDO: TableDefinition<Hash, &[u8]> = TableDefinition::new("undo");
/// Height: hash, of the active chain. The last one is the tip.
const ACTIVE: TableDefinition<u64, Hash> = TableDefinition::new("active");
/// Identity: balance and next nonce, at the tip.
const ACCOUNTS: TableDefinition<Hash, (u64, u64)> = TableDefinition::new("accounts");
/// Transfer: height and place in the block, of the active chain.
const TRANSFERS: TableDefinition<Hash, (u64, u32)> = TableDefinition::new("transfers");
/// Identity, height, place (0 is the coinbase): what concerns an identity, of the active chain.
const HISTORY: TableDefinition<(Hash, u64, u32), ()> = TableDefinition::new("history");

/// The database of one chain.
pub(crate) struct Store {
    database: Database,
    name: String,
}

/// The store cannot be used. What is in memory may be ahead of it: the node has to start again.
#[derive(Debug, thiserror::Error)]
#[error("the chain's store {name} cannot be used: {why}")]
pub(crate) struct StoreError {
    name: String,
    why: String,
}

/// What one transaction changes.
#[derive(Default)]
pub(super) struct Changes {
    pub(super) added: Vec<(Block, Undo)>,
    /// Newest first.
    pub(super) disconnected: Vec<Block>,
    /// Oldest first.
    pub(super) connected: Vec<Block>,
    pub(super) accounts: Accounts,
    pub(super) dropped: Vec<BlockHash>,
}

/// What a store holds, as far as it is kept in memory.
pub(super) struct Contents {
    /// Lowest first.
    pub(super) headers: Vec<(BlockHash, Header)>,
    /// From height 1 on.
    pub(super) active: Vec<BlockHash>,
    pub(super) accounts: Accounts,
}

impl Store {
    /// The store in this file, made if it is not there.
    pub(crate) fn open(path: &Path) -> Result<Self, StoreError> {
        let name = path.display().to_string();
        let database = Database::create(path);
        let database = database.map_err(|error| StoreError { name: name.clone(), why: error.to_string() })?;
        Ok(Store { database, name })
    }

    /// A store that lives as long as the program.
    pub(crate) fn in_memory() -> Result<Self, StoreError> {
        let name = "in memory".to_owned();
        let database = Database::builder().create_with_backend(InMemoryBackend::new());
        let database = database.map_err(|error| StoreError { name: name.clone(), why: error.to_string() })?;
        Ok(Store { database, name })
    }

    /// Reads what is kept in memory. A new store becomes that of the chain `genesis`; a store of another chain is left
    /// as it is.
    pub(super) fn load(&self, genesis: BlockHash) -> Result<Contents, StoreError> {
        let found = self.guard(|| self.claim(genesis))?;
        if found != *genesis.as_bytes() {
            let other = BlockHash::from_bytes(found);
            return Err(self.error(format_args!("it holds the chain {other:#}, not {genesis:#}; use another folder")));
        }
        self.guard(|| {
            let read = self.database.begin_read()?;
            let mut headers = Vec::new();
            for row in read.open_table(HEADERS)?.iter()? {
                let (hash, header) = row?;
                let (header, _) = Header::split(header.value())?;
                headers.push((BlockHash::from_bytes(*hash.value()), header));
            }
            headers.sort_by_key(|(_, header)| header.height);
            let active = read.open_table(ACTIVE)?;
            let active = active.iter()?.map(|row| Ok(BlockHash::from_bytes(*row?.1.value())));
            let active = active.collect::<Result<_, Failure>>()?;
            let mut accounts = Accounts::new();
            for row in read.open_table(ACCOUNTS)?.iter()? {
                let (id, account) = row?;
                let (balance, nonce) = account.value();
                let balance = Amount::new(balance).ok_or("a balance is too large")?;
                accounts.insert(NodeId::from_bytes(*id.value()), Account { balance, nonce });
            }
            Ok(Contents { headers, active, accounts })
        })
    }

    /// Whose store it is. One without a name gets this one, and its tables.
    fn claim(&self, genesis: BlockHash) -> Result<[u8; 32], Failure> {
        let write = self.database.begin_write()?;
        let mut meta = write.open_table(META)?;
        let found = meta.get("genesis")?.map(|bytes| bytes.value().try_into());
        if let Some(found) = found {
            return Ok(found.map_err(|_| "its genesis hash is damaged")?);
        }
        meta.insert("genesis", &genesis.as_bytes()[..])?;
        drop(meta);
        Tables::open(&write)?;
        write.commit()?;
        Ok(*genesis.as_bytes())
    }

    pub(super) fn commit(&self, changes: &Changes) -> Result<(), StoreError> {
        self.guard(|| {
            let write = self.database.begin_write()?;
            let mut tables = Tables::open(&write)?;
            tables.apply(changes)?;
            drop(tables);
            Ok(write.commit()?)
        })
    }

    pub(super) fn block(&self, hash: &BlockHash) -> Result<Option<Bytes>, StoreError> {
        self.guard(|| {
            let blocks = self.database.begin_read()?.open_table(BLOCKS)?;
            Ok(blocks.get(hash.as_bytes())?.map(|bytes| Bytes::copy_from_slice(bytes.value())))
        })
    }

    pub(super) fn undo(&self, hash: &BlockHash) -> Result<Undo, StoreError> {
        self.guard(|| {
            let undo = self.database.begin_read()?.open_table(UNDO)?;
            let bytes = undo.get(hash.as_bytes())?.ok_or("the undo data of a block is missing")?;
            Ok(decode_undo(bytes.value()).ok_or("the undo data of a block is damaged")?)
        })
    }

    /// In which active block a transfer is: its height, and its place from 1 on.
    pub(super) fn transfer(&self, id: &EnvelopeId) -> Result<Option<(u64, u32)>, StoreError> {
        self.guard(|| {
            let transfers = self.database.begin_read()?.open_table(TRANSFERS)?;
            Ok(transfers.get(id.as_bytes())?.map(|place| place.value()))
        })
    }

    /// Where an identity's newest `limit` entries are, newest first: heights and places.
    pub(super) fn history(&self, id: &NodeId, limit: usize) -> Result<Vec<(u64, u32)>, StoreError> {
        self.guard(|| {
            let history = self.database.begin_read()?.open_table(HISTORY)?;
            let all = history.range((id.as_bytes(), 0, 0)..=(id.as_bytes(), u64::MAX, u32::MAX))?;
            let newest = all.rev().take(limit);
            newest.map(|row| row.map(|(key, _)| (key.value().1, key.value().2)).map_err(Failure::from)).collect()
        })
    }

    /// Something is not as it must be.
    pub(super) fn error(&self, why: impl fmt::Display) -> StoreError {
        StoreError { name: self.name.clone(), why: why.to_string() }
    }

    fn guard<T>(&self, act: impl FnOnce() -> Result<T, Failure>) -> Result<T, StoreError> {
        act().map_err(|Failure(why)| self.error(why))
    }
}

/// Anything that went wrong, in words: nobody reacts to one error of the database differently than to another.
struct Failure(String);

impl<E: fmt::Display> From<E> for Failure {
    fn from(error: E) -> Self {
        Failure(error.to_string())
    }
}

struct Tables<'a> {
    headers: Table<'a, Hash, &'static [u8; Header::LEN]>,
    blocks: Table<'a, Hash, &'static [u8]>,
    undo: Table<'a, Hash, &'static [u8]>,
    active: Table<'a, u64, Hash>,
    accounts: Table<'a, Hash, (u64, u64)>,
    transfers: Table<'a, Hash, (u64, u32)>,
    history: Table<'a, (Hash, u64, u32), ()>,
}

impl<'a> Tables<'a> {
    fn open(write: &'a WriteTransaction) -> Result<Self, Failure> {
        Ok(Tables {
            headers: write.open_table(HEADERS)?,
            blocks: write.open_table(BLOCKS)?,
            undo: write.open_table(UNDO)?,
            active: write.open_table(ACTIVE)?,
            accounts: write.open_table(ACCOUNTS)?,
            transfers: write.open_table(TRANSFERS)?,
            history: write.open_table(HISTORY)?,
        })
    }

    fn apply(&mut self, changes: &Changes) -> Result<(), Failure> {
        for (block, undo) in &changes.added {
            let hash = block.hash.as_bytes();
            self.headers.insert(hash, &block.header.encode())?;
            self.blocks.insert(hash, &block.bytes[..])?;
            self.undo.insert(hash, &encode_undo(undo)[..])?;
        }
        for block in &changes.disconnected {
            self.active.remove(block.header.height)?;
            for (place, transfer) in (1..).zip(&block.transfers) {
                self.transfers.remove(transfer.id().as_bytes())?;
                self.history.remove((transfer.sender().as_bytes(), block.header.height, place))?;
                self.history.remove((transfer.order().to.as_bytes(), block.header.height, place))?;
            }
            self.history.remove((block.coinbase.to.as_bytes(), block.header.height, 0))?;
        }
        for block in &changes.connected {
            let height = block.header.height;
            self.active.insert(height, block.hash.as_bytes())?;
            for (place, transfer) in (1..).zip(&block.transfers) {
                self.transfers.insert(transfer.id().as_bytes(), (height, place))?;
                self.history.insert((transfer.sender().as_bytes(), height, place), ())?;
                self.history.insert((transfer.order().to.as_bytes(), height, place), ())?;
            }
            self.history.insert((block.coinbase.to.as_bytes(), height, 0), ())?;
        }
        for (id, account) in &changes.accounts {
            if *account == Account::default() {
                self.accounts.remove(id.as_bytes())?;
            } else {
                self.accounts.insert(id.as_bytes(), (account.balance.units(), account.nonce))?;
            }
        }
        for hash in &changes.dropped {
            self.headers.remove(hash.as_bytes())?;
            self.blocks.remove(hash.as_bytes())?;
            self.undo.remove(hash.as_bytes())?;
        }
        Ok(())
    }
}

fn encode_undo(undo: &Undo) -> Vec<u8> {
    let account = |(id, account): &(NodeId, Account)| {
        [&id.as_bytes()[..], &account.balance.units().to_be_bytes(), &account.nonce.to_be_bytes()].concat()
    };
    undo.0.iter().flat_map(account).collect()
}

fn decode_undo(mut bytes: &[u8]) -> Option<Undo> {
    let mut undo = Vec::new();
    while !bytes.is_empty() {
        let id = NodeId::from_bytes(take(&mut bytes)?);
        let balance = Amount::new(take_u64(&mut bytes)?)?;
        undo.push((id, Account { balance, nonce: take_u64(&mut bytes)? }));
    }
    Some(Undo(undo))
}
