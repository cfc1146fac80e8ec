//! The one form of a profile that is digested.

use callgate_text::{Digest, Json};

use super::Profile;

impl Profile {
    /// The profile as a document. Amounts are in seconds, bytes and counts; those above 2⁵³ stand as text, since no
    /// number of JSON holds them.
    pub fn to_json(&self) -> Json {
        let limits = &self.limits;
        let pairs = |pairs: Vec<(String, String)>| Json::object(pairs.into_iter().map(|(k, v)| (k, Json::String(v))));
        let texts = |map: &std::collections::BTreeMap<String, String>| {
            pairs(map.iter().map(|(key, value)| (key.clone(), value.clone())).collect())
        };
        Json::object([
            ("v", Json::integer(1)),
            ("name", Json::String(self.name.clone())),
            ("tier", Json::integer(self.tier.number().into())),
            ("files", pairs(self.files.iter().map(|(p, a)| (p.to_string(), a.as_str().to_owned())).collect())),
            ("network", Json::String(self.network.as_str().to_owned())),
            ("unix_sockets", Json::Bool(self.unix_sockets)),
            (
                "limits",
                Json::object([
                    ("wall", amount(limits.wall)),
                    ("cpu", amount(limits.cpu)),
                    ("memory", amount(limits.memory)),
                    ("memory_by", Json::String(limits.memory_by.as_str().to_owned())),
                    ("processes", amount(limits.processes)),
                    ("open_files", amount(limits.open_files)),
                    ("output", amount(limits.output)),
                    ("disk", amount(limits.disk)),
                    ("files", amount(limits.files)),
                ]),
            ),
            (
                "environment",
                Json::object([
                    ("pass", Json::Array(self.environment.pass.iter().cloned().map(Json::String).collect())),
                    ("set", texts(&self.environment.set)),
                ]),
            ),
            ("secrets", texts(&self.secrets)),
        ])
    }

    /// The digest of the canonical form. Two profiles that grant the same under the same name have the same.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.to_json().canonical())
    }
}

fn amount(amount: u64) -> Json {
    const EXACT: u64 = 1 << 53;
    match i64::try_from(amount) {
        Ok(integer) if amount <= EXACT => Json::integer(integer),
        _ => Json::String(amount.to_string()),
    }
}
