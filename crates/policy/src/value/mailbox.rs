//! One e-mail address, `local@domain` and nothing around it.

use super::fault::{Fault, visible};
use super::host::domain;

const LONGEST: usize = 512;

/// An address of which every mail system finds the same domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mailbox {
    /// What stands before the `@`, as written: whether case counts there is the receiver's business.
    local: String,
    /// The domain in ASCII, lower case.
    domain: String,
}

impl Mailbox {
    /// Reads a bare address.
    ///
    /// Display names, comments, quotes, lists, routes (`a%b@c`, `c!a`), address literals, an option's
    /// dash at the start and letters beyond ASCII before the `@` are refused: mail systems read them
    /// differently.
    pub(crate) fn parse(text: &str) -> Result<Self, Fault> {
        if text.len() > LONGEST {
            return Err(Fault("is longer than any e-mail address"));
        }
        visible(text)?;
        let (local, host) = text.split_once('@').ok_or(Fault("is not an e-mail address"))?;
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._+-'=&#~".contains(&byte);
        let dotted = !local.starts_with(['.', '-']) && !local.ends_with('.') && !local.contains("..");
        if !(1..=64).contains(&local.len()) || !local.bytes().all(allowed) || !dotted || host.ends_with('.') {
            return Err(Fault("is not one plain e-mail address"));
        }
        let domain = domain(host).map_err(|_| Fault("is not one plain e-mail address"))?;
        Ok(Self { local: local.to_owned(), domain })
    }

    /// The normal form.
    pub(crate) fn id(&self) -> String {
        format!("{}@{}", self.local, self.domain)
    }

    /// The domains that it is inside of, its own first.
    pub(super) fn domains(&self) -> impl Iterator<Item = &str> {
        std::iter::successors(Some(self.domain.as_str()), |name| name.split_once('.').map(|(_, parent)| parent))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at_company(text: &str) -> bool {
        Mailbox::parse(text).is_ok_and(|mailbox| mailbox.domains().any(|domain| domain == "company.com"))
    }

    #[test]
    fn plain_addresses_are_at_their_domain() {
        for text in [
            "ann@company.com",
            "Ann.Lee+x@COMPANY.com",
            "ann@mail.company.com",
            "o'neil@company.com",
            "a_b-c@company.com",
        ] {
            assert!(at_company(text), "{text}");
        }
        assert_eq!(Mailbox::parse("Ann@Company.COM").map(|mailbox| mailbox.id()), Ok("Ann@company.com".to_owned()));
    }

    #[test]
    fn disguised_addresses_are_not() {
        for text in [
            "ann@company.com.evil.example",
            "\"ann@company.com\"@evil.example",
            "ann@company.com,eve@x.example",
            "ann@company.com;eve@x.example",
            "ann@company.com\n",
            "ann@company.com\r\nBcc: eve@x.example",
            " ann@company.com",
            "ann@company.com ",
            "Ann <ann@company.com>",
            "<ann@company.com>",
            "eve@x.example <ann@company.com>",
            "ann@company.com (eve)",
            "ann(eve)@company.com",
            "ann@company.com.",
            "ann@company.com@evil.example",
            "eve%evil.example@company.com",
            "evil.example!eve@company.com",
            "@evil.example:ann@company.com",
            "ann@notcompany.com",
            "ann@company.com\u{200B}",
            "ann@соmpany.com",
            "ann@ｃompany.com",
            "ann@company。com",
            "ann@company.com\0.evil.example",
            "ann@company.com%00",
            "ann@company.com/evil.example",
            "ann@evil.example#@company.com",
            "ann@[127.0.0.1]",
            "ann@127.0.0.1",
            "ann@2130706433",
            "",
            "@company.com",
            "ann@",
            "ann",
            ".ann@company.com",
            "ann.@company.com",
            "a..b@company.com",
            "-oQ/tmp@company.com",
            "änn@company.com",
            "ann\u{AD}@company.com",
            "|cat@company.com",
            "`id`@company.com",
            "mailto:ann@company.com",
            &format!("{}@company.com", "a".repeat(65)),
            "ann@company.com?bcc=eve@x.example",
        ] {
            assert!(!at_company(text), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn the_domain_is_what_follows_the_only_at(text in "[a-z@.,;<>\"() %!]{0,24}") {
            if let Ok(mailbox) = Mailbox::parse(&text) {
                prop_assert_eq!(text.matches('@').count(), 1);
                prop_assert!(text.ends_with(&mailbox.domain));
                prop_assert_eq!(Mailbox::parse(&mailbox.id()), Ok(mailbox));
            }
        }
    }
}
