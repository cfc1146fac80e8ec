//! How far a session has come to an era.
//!
//! `initialize` begins the older one, and a request that says of which revision it is begins the stateless one.
//! A client that speaks both may try: it sends `server/discover`, and where that is not answered as a server of
//! the stateless era would, it goes on with `initialize`. Until the server has answered either of them nothing
//! is settled; once it has, the session stays in that era to its end.

use tokio::sync::watch;

use super::era::Era;

#[derive(Debug)]
pub(super) struct Phase(watch::Sender<Stage>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Stage {
    /// Nothing is settled.
    New,
    /// The client asked `server/discover`, and the server did not answer yet.
    Probing,
    /// The client asked to initialise, and the server did not answer yet.
    Asked,
    /// The older era, after its handshake.
    Ready,
    /// The stateless era.
    Stateless,
}

impl Stage {
    /// The era, as far as there is one.
    pub(super) const fn era(self) -> Option<Era> {
        match self {
            Self::New | Self::Probing => None,
            Self::Asked | Self::Ready => Some(Era::Handshake),
            Self::Stateless => Some(Era::Stateless),
        }
    }
}

impl Phase {
    pub(super) fn new() -> Self {
        Self(watch::Sender::new(Stage::New))
    }

    pub(super) fn stage(&self) -> Stage {
        *self.0.borrow()
    }

    /// The client asks to initialise; `false` if it did before, or speaks the other era.
    pub(super) fn ask(&self) -> bool {
        self.go(&[Stage::New, Stage::Probing], Stage::Asked)
    }

    /// The server answered; it may be asked again if it refused.
    pub(super) fn answer(&self, accepted: bool) {
        self.go(&[Stage::Asked], if accepted { Stage::Ready } else { Stage::New });
    }

    /// The client asks what the server speaks.
    pub(super) fn probe(&self) {
        self.go(&[Stage::New], Stage::Probing);
    }

    /// The server answered that, or will not. What comes after the client turned to `initialize` settles nothing.
    pub(super) fn probed(&self, stateless: bool) {
        let next = if stateless { Stage::Stateless } else { Stage::New };
        self.go(if stateless { &[Stage::New, Stage::Probing] } else { &[Stage::Probing] }, next);
    }

    /// The client speaks without asking first; `false` if it speaks the other era already.
    pub(super) fn speak_stateless(&self) -> bool {
        self.go(&[Stage::New, Stage::Probing, Stage::Stateless], Stage::Stateless)
    }

    /// Resolves when no answer is awaited.
    pub(super) async fn settled(&self) {
        let _ = self.0.subscribe().wait_for(|stage| !matches!(stage, Stage::Asked | Stage::Probing)).await;
    }

    pub(super) fn is_ready(&self) -> bool {
        self.stage() == Stage::Ready
    }

    fn go(&self, from: &[Stage], to: Stage) -> bool {
        let mut goes = false;
        self.0.send_if_modified(|stage| {
            goes = from.contains(stage);
            let changes = goes && *stage != to;
            if changes {
                *stage = to;
            }
            changes
        });
        goes
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Copy, Debug)]
    enum Step {
        Ask,
        Answer(bool),
        Probe,
        Probed(bool),
        Speak,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            Just(Step::Ask),
            any::<bool>().prop_map(Step::Answer),
            Just(Step::Probe),
            any::<bool>().prop_map(Step::Probed),
            Just(Step::Speak),
        ];
        proptest::collection::vec(step, 0..24)
    }

    proptest! {
        /// Whatever is said and answered in whatever order: a settled session never leaves its era.
        #[test]
        fn a_settled_session_stays_in_its_era(steps in steps()) {
            let phase = Phase::new();
            let mut settled = None;
            for step in steps {
                match step {
                    Step::Ask => { phase.ask(); }
                    Step::Answer(accepted) => phase.answer(accepted),
                    Step::Probe => phase.probe(),
                    Step::Probed(stateless) => phase.probed(stateless),
                    Step::Speak => { phase.speak_stateless(); }
                }
                let stage = phase.stage();
                if let Some(settled) = settled {
                    prop_assert_eq!(stage, settled);
                } else if matches!(stage, Stage::Ready | Stage::Stateless) {
                    settled = Some(stage);
                }
            }
        }
    }
}
