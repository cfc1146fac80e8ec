//! What a policy says beside its condition. Every annotation is known, and carries exactly one string.

use std::sync::Arc;

use callgate_core::{Approval, Code, Disclose};
use cedar_policy::Effect;
use cedar_policy::pst::SmolStr;

use super::parsed::Fault;
use crate::finding::Rule;

/// The typed annotations of one policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Annotations {
    /// `@id`
    pub(crate) id: Option<Arc<str>>,
    /// `@deny`
    pub(crate) code: Option<Code>,
    /// `@message`
    pub(crate) message: Option<Arc<str>>,
    /// `@approval`, `@quorum`, `@channel`
    pub(crate) approval: Option<Approval>,
    /// `@review`: when somebody should look at the policy again, for people.
    pub(crate) review: Option<Arc<str>>,
    /// `@disclose`
    pub(crate) disclose: Disclose,
    /// `@opaque`: arguments that the author knows policy cannot see, comma-separated.
    pub(crate) opaque: Vec<Arc<str>>,
}

const KNOWN: &str = "the annotations are @id @deny @message @approval @quorum @channel @review @disclose @opaque";
const MAX_ID: usize = 128;
const MAX_MESSAGE: usize = 300;

impl Annotations {
    pub(super) fn read<'a>(
        effect: Effect,
        annotations: impl Iterator<Item = (&'a String, &'a SmolStr)>,
    ) -> Result<Self, Vec<Fault>> {
        let mut read = Self::default();
        let (mut group, mut quorum, mut channel) = (None::<Arc<str>>, None, None::<Arc<str>>);
        let mut faults = Vec::new();
        for (name, value) in annotations {
            let mut fault = |message: String| {
                let fault = Fault::new(Rule::BadAnnotation, message).marking(&format!("@{name}"));
                faults.push(fault.help(KNOWN));
            };
            let value = value.as_str();
            if value.trim().is_empty() {
                fault(format!("@{name} needs one string that is not empty"));
                continue;
            }
            if value.chars().any(char::is_control) || callgate_text::reveal(value).is_some() {
                fault(format!("@{name} holds control or hidden characters"));
                continue;
            }
            match name.as_str() {
                "id" if value.len() > MAX_ID => fault(format!("@id is longer than {MAX_ID} bytes")),
                "id" if value.contains('#') => fault("@id holds a `#`, which marks ids made from a hash".to_owned()),
                "id" => read.id = Some(value.into()),
                "deny" => match value.parse::<Code>() {
                    _ if effect != Effect::Forbid => fault("@deny belongs on a forbid".to_owned()),
                    Ok(Code::Permitted) | Err(_) => fault("@deny is no reason code; see docs/reasons.md".to_owned()),
                    Ok(code) => read.code = Some(code),
                },
                "message" if value.len() > MAX_MESSAGE => fault(format!("@message is longer than {MAX_MESSAGE} bytes")),
                "message" => read.message = Some(value.into()),
                "approval" => group = Some(value.into()),
                "quorum" => match value.parse::<u32>() {
                    Ok(count) if count >= 1 => quorum = Some(count),
                    _ => fault("@quorum must be an integer of at least 1".to_owned()),
                },
                "channel" => channel = Some(value.into()),
                "review" => read.review = Some(value.into()),
                "disclose" => match value {
                    "full" => read.disclose = Disclose::Full,
                    "code" => read.disclose = Disclose::Code,
                    "none" => read.disclose = Disclose::None,
                    _ => fault("@disclose is \"none\", \"code\" or \"full\"".to_owned()),
                },
                "opaque" if effect == Effect::Forbid => fault("@opaque belongs on a permit".to_owned()),
                "opaque" => read.opaque = value.split(',').map(|name| name.trim().into()).collect(),
                _ => fault(format!("unknown annotation @{name}")),
            }
        }
        match group {
            Some(group) => read.approval = Some(Approval { group, quorum: quorum.unwrap_or(1), channel }),
            None if quorum.is_some() || channel.is_some() => {
                let message = "@quorum and @channel mean nothing without @approval";
                faults.push(Fault::new(Rule::BadAnnotation, message).marking("@").help(KNOWN));
            }
            None => {}
        }
        if faults.is_empty() { Ok(read) } else { Err(faults) }
    }
}
