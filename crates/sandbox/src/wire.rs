//! Bytes between the supervisor and its launcher: lengths in front, big-endian, no gaps, nothing behind the end.
//!
//! The two are one program and trust each other; still, whatever does not parse is refused, and no length is believed
//! before the bytes are there.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// The bytes are not such a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a message between supervisor and launcher is malformed")]
pub(crate) struct Malformed;

/// What travels.
pub(crate) trait Wire: Sized {
    /// Appends the value.
    fn put(&self, out: &mut Vec<u8>);
    /// Takes the value off the front.
    fn take(from: &mut &[u8]) -> Result<Self, Malformed>;

    /// The value alone.
    fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.put(&mut out);
        out
    }

    /// The value, if `bytes` are it and nothing else.
    fn from_bytes(mut bytes: &[u8]) -> Result<Self, Malformed> {
        let value = Self::take(&mut bytes)?;
        if bytes.is_empty() { Ok(value) } else { Err(Malformed) }
    }
}

macro_rules! integers {
    ($($integer:ty),*) => {$(
        impl Wire for $integer {
            fn put(&self, out: &mut Vec<u8>) {
                out.extend(self.to_be_bytes());
            }

            fn take(from: &mut &[u8]) -> Result<Self, Malformed> {
                let (first, rest) = from.split_first_chunk().ok_or(Malformed)?;
                *from = rest;
                Ok(Self::from_be_bytes(*first))
            }
        }
    )*};
}
integers!(u8, u32, u64, i32);

impl Wire for bool {
    fn put(&self, out: &mut Vec<u8>) {
        u8::from(*self).put(out);
    }

    fn take(from: &mut &[u8]) -> Result<Self, Malformed> {
        match u8::take(from)? {
            0 => Ok(false),
            1 => Ok(true),
            _ => Err(Malformed),
        }
    }
}

/// A length, in front of what it counts.
fn put_length(length: usize, out: &mut Vec<u8>) {
    u32::try_from(length).unwrap_or(u32::MAX).put(out);
}

impl Wire for OsString {
    fn put(&self, out: &mut Vec<u8>) {
        put_length(self.len(), out);
        out.extend(self.as_bytes());
    }

    fn take(from: &mut &[u8]) -> Result<Self, Malformed> {
        let length = usize::try_from(u32::take(from)?).map_err(|_| Malformed)?;
        let (bytes, rest) = from.split_at_checked(length).ok_or(Malformed)?;
        *from = rest;
        Ok(Self::from_vec(bytes.to_vec()))
    }
}

impl Wire for PathBuf {
    fn put(&self, out: &mut Vec<u8>) {
        self.as_os_str().to_owned().put(out);
    }

    fn take(from: &mut &[u8]) -> Result<Self, Malformed> {
        OsString::take(from).map(Self::from)
    }
}

impl Wire for String {
    fn put(&self, out: &mut Vec<u8>) {
        OsString::from(self).put(out);
    }

    fn take(from: &mut &[u8]) -> Result<Self, Malformed> {
        OsString::take(from)?.into_string().map_err(|_| Malformed)
    }
}

impl<T: Wire> Wire for Option<T> {
    fn put(&self, out: &mut Vec<u8>) {
        self.is_some().put(out);
        if let Some(value) = self {
            value.put(out);
        }
    }

    fn take(from: &mut &[u8]) -> Result<Self, Malformed> {
        if bool::take(from)? { T::take(from).map(Some) } else { Ok(None) }
    }
}

impl<T: Wire> Wire for Vec<T> {
    fn put(&self, out: &mut Vec<u8>) {
        put_length(self.len(), out);
        for value in self {
            value.put(out);
        }
    }

    fn take(from: &mut &[u8]) -> Result<Self, Malformed> {
        let length = u32::take(from)?;
        // Grown as values arrive: a length alone reserves nothing.
        let mut values = Self::new();
        for _ in 0..length {
            values.push(T::take(from)?);
        }
        Ok(values)
    }
}

impl<A: Wire, B: Wire> Wire for (A, B) {
    fn put(&self, out: &mut Vec<u8>) {
        self.0.put(out);
        self.1.put(out);
    }

    fn take(from: &mut &[u8]) -> Result<Self, Malformed> {
        Ok((A::take(from)?, B::take(from)?))
    }
}

impl<K: Wire + Ord + Clone, V: Wire + Clone> Wire for BTreeMap<K, V> {
    fn put(&self, out: &mut Vec<u8>) {
        let pairs: Vec<(K, V)> = self.iter().map(|(key, value)| (key.clone(), value.clone())).collect();
        pairs.put(out);
    }

    fn take(from: &mut &[u8]) -> Result<Self, Malformed> {
        Ok(Vec::<(K, V)>::take(from)?.into_iter().collect())
    }
}

/// A struct travels as its fields, in the order given.
macro_rules! fields {
    ($name:ident { $($field:ident),* $(,)? }) => {
        impl $crate::wire::Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                $($crate::wire::Wire::put(&self.$field, out);)*
            }

            fn take(from: &mut &[u8]) -> Result<Self, $crate::wire::Malformed> {
                Ok(Self { $($field: $crate::wire::Wire::take(from)?),* })
            }
        }
    };
}

/// An enum without fields travels as one byte: the place of the variant in the list given.
macro_rules! variants {
    ($name:ident { $($variant:ident),* $(,)? }) => {
        impl $crate::wire::Wire for $name {
            fn put(&self, out: &mut Vec<u8>) {
                let all = [$(Self::$variant),*];
                let place = all.iter().position(|variant| variant == self);
                out.push(place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX));
            }

            fn take(from: &mut &[u8]) -> Result<Self, $crate::wire::Malformed> {
                let place = <u8 as $crate::wire::Wire>::take(from)?;
                let all = [$(Self::$variant),*];
                all.get(usize::from(place)).cloned().ok_or($crate::wire::Malformed)
            }
        }
    };
}

pub(crate) use {fields, variants};
