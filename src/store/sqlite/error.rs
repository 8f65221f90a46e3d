//! SQLite's many errors, sorted by what the caller can do about them.

use rusqlite::{Error, ErrorCode};

use crate::store::StoreError;

impl From<Error> for StoreError {
    fn from(error: Error) -> Self {
        match &error {
            Error::SqliteFailure(failure, _) => match failure.code {
                ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase => Self::Corrupt(format!(
                    "the database file is damaged ({error}); restore it from a backup"
                )),
                ErrorCode::DiskFull => Self::Failed(
                    "the disk is full; free some space, and it goes on by itself".to_owned(),
                ),
                ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied => {
                    Self::Failed(format!(
                        "{error}; check that this user may write the data directory"
                    ))
                }
                _ => Self::Failed(error.to_string()),
            },
            Error::FromSqlConversionFailure(..)
            | Error::IntegralValueOutOfRange(..)
            | Error::InvalidColumnType(..)
            | Error::Utf8Error(..) => Self::Corrupt(error.to_string()),
            _ => Self::Failed(error.to_string()),
        }
    }
}
