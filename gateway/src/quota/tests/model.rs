//! Random interleavings against a model that knows only the rules: it keeps every charge ever
//! made as an entry of its own, walks time step by step and adds up afresh each time.

use proptest::prelude::*;

use super::*;
use crate::quota::Period;

/// The quotas of every run: (limit, window, step in seconds, steps an amount counts for).
const QUOTAS: [(u64, Window, u64, u64); 3] = [
    (
        100,
        Window::Fixed {
            every: Period::Minute,
        },
        60,
        1,
    ),
    (
        60,
        Window::Sliding {
            every: Duration::from_secs(60),
        },
        1,
        61,
    ),
    (
        250,
        Window::Fixed {
            every: Period::Hour,
        },
        3_600,
        1,
    ),
];
const CONSUMERS: [&str; 2] = ["a", "b"];

/// One amount charged to one step.
struct Charge {
    step: u64,
    amount: u64,
    debt: bool,
    open: bool,
    reservation: usize,
}

struct Model {
    limit: u64,
    steps: u64,
    now: u64,
    charges: Vec<Charge>,
    owed: u64,
}

impl Model {
    fn charged(&self) -> u64 {
        self.charges.iter().map(|charge| charge.amount).sum()
    }

    fn debt(&self) -> u64 {
        let debts = self.charges.iter().filter(|charge| charge.debt);
        self.owed + debts.map(|charge| charge.amount).sum::<u64>()
    }

    fn reserved(&self) -> u64 {
        let open = self.charges.iter().filter(|charge| charge.open);
        open.map(|charge| charge.amount).sum()
    }

    fn total(&self) -> u64 {
        self.charged() + self.owed
    }

    fn pay(&mut self) {
        let amount = self.owed.min(self.limit.saturating_sub(self.charged()));
        self.owed -= amount;
        let charge = Charge {
            step: self.now,
            amount,
            debt: true,
            open: false,
            reservation: usize::MAX,
        };
        self.charges.push(charge);
    }

    fn walk(&mut self, to: u64) {
        while self.now < to {
            self.now += 1;
            self.charges
                .retain(|charge| charge.step + self.steps > self.now);
            self.pay();
        }
        self.pay();
    }

    fn settle(&mut self, reservation: usize, bound: u64, used: u64) {
        for charge in self
            .charges
            .iter_mut()
            .filter(|c| c.reservation == reservation)
        {
            charge.amount = used.min(bound);
            charge.open = false;
        }
        self.owed += used.saturating_sub(bound);
        self.pay();
    }
}

#[derive(Debug, Clone)]
enum Step {
    Reserve {
        bounds: [Option<u64>; 3],
        consumer: usize,
    },
    Settle {
        which: usize,
        percent: u64,
    },
    Release {
        which: usize,
    },
    Drop {
        which: usize,
    },
    Wait {
        seconds: u64,
    },
    Limit {
        quota: usize,
        limit: u64,
    },
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let bound = || proptest::option::weighted(0.7, 0..70u64);
    let step = prop_oneof![
        8 => (bound(), bound(), bound(), 0..CONSUMERS.len())
            .prop_map(|(a, b, c, consumer)| Step::Reserve { bounds: [a, b, c], consumer }),
        6 => (any::<usize>(), prop_oneof![4 => 0..=100u64, 1 => 100..2_000u64])
            .prop_map(|(which, percent)| Step::Settle { which, percent }),
        1 => any::<usize>().prop_map(|which| Step::Release { which }),
        1 => any::<usize>().prop_map(|which| Step::Drop { which }),
        5 => prop_oneof![4 => 0..40u64, 1 => 0..4_000u64].prop_map(|seconds| Step::Wait { seconds }),
        1 => (0..3usize, 0..300u64).prop_map(|(quota, limit)| Step::Limit { quota, limit }),
    ];
    proptest::collection::vec(step, 1..120)
}

/// What one reservation took of one account, as the model sees it.
struct Taken {
    account: usize,
    name: Arc<str>,
    bound: u64,
}

struct Run {
    ledger: Ledger,
    quotas: Vec<Arc<Quota>>,
    /// By consumer, then quota.
    models: Vec<Model>,
    open: Vec<(usize, Reservation, Vec<Taken>)>,
    reservations: usize,
    now: u64,
}

impl Run {
    fn new() -> Self {
        let numbered = QUOTAS.iter().enumerate();
        let quotas = numbered
            .map(|(index, (limit, window, ..))| {
                quota(&index.to_string(), *limit, *window, &[By::Consumer])
            })
            .collect();
        let all = CONSUMERS.iter().flat_map(|_| QUOTAS);
        let model = |(limit, _, _, steps)| Model {
            limit,
            steps,
            now: 0,
            charges: vec![],
            owed: 0,
        };
        let models = all.map(model).collect();
        Self {
            ledger: Ledger::memory(),
            quotas,
            models,
            open: vec![],
            reservations: 0,
            now: 0,
        }
    }

    fn apply(&mut self, step: Step) -> Result<(), TestCaseError> {
        match step {
            Step::Reserve { bounds, consumer } => self.reserve(bounds, consumer)?,
            Step::Settle { which, percent } => {
                self.close(
                    which,
                    |bound| bound * percent / 100,
                    |reservation, used| {
                        let _ = reservation.settle(|quota, _| used(quota));
                    },
                );
            }
            Step::Release { which } => {
                self.close(which, |_| 0, |r, _| drop(r.settle(|_, _| used(0))))
            }
            Step::Drop { which } => self.close(which, |bound| bound, |r, _| drop(r)),
            Step::Wait { seconds } => self.now += seconds,
            Step::Limit {
                quota: index,
                limit,
            } => {
                let window = QUOTAS[index].1;
                self.quotas[index] = quota(&index.to_string(), limit, window, &[By::Consumer]);
                for models in self.models.chunks_mut(3) {
                    models[index].limit = limit;
                }
            }
        }
        self.compare()
    }

    fn reserve(&mut self, bounds: [Option<u64>; 3], consumer: usize) -> Result<(), TestCaseError> {
        let claims: Vec<_> = (0..3)
            .filter_map(|index| {
                let bound = bounds[index]?;
                Some((
                    index,
                    claim(&self.quotas[index], CONSUMERS[consumer], bound),
                ))
            })
            .collect();
        let model = |index: usize| consumer * 3 + index;
        let fits = claims.iter().all(|(index, claim)| {
            let model = &self.models[model(*index)];
            claim.bound == 0 || model.total() + claim.bound <= model.limit
        });
        let asked: Vec<_> = claims.iter().map(|(_, claim)| *claim).collect();
        match self.ledger.reserve(&asked, at(self.now)) {
            Ok(reservation) => {
                prop_assert!(fits, "admitted what does not fit");
                let id = self.reservations;
                self.reservations += 1;
                let mut taken = vec![];
                for (index, claim) in &claims {
                    let (account, bound) = (model(*index), claim.bound);
                    let step = self.models[account].now;
                    let charge = Charge {
                        step,
                        amount: bound,
                        debt: false,
                        open: true,
                        reservation: id,
                    };
                    self.models[account].charges.push(charge);
                    let (name, model) = (Arc::clone(&claim.quota.name), &self.models[account]);
                    taken.push(Taken {
                        account,
                        name,
                        bound,
                    });
                    let kept = bound == 0 || model.total() <= model.limit;
                    prop_assert!(kept, "the invariant");
                }
                self.open.push((id, reservation, taken));
            }
            Err(refusal) => {
                prop_assert!(!fits, "refused what fits: {refusal}");
                self.check_wait(&refusal, consumer * 3)?;
            }
        }
        Ok(())
    }

    /// With nothing else going on, the model has no room just before `retry_after` and has it then.
    fn check_wait(
        &self,
        refusal: &crate::quota::Refusal,
        first: usize,
    ) -> Result<(), TestCaseError> {
        let index: usize = refusal.quota.name.parse().expect("a number");
        let real = &self.models[first + index];
        prop_assert_eq!(refusal.remaining, real.limit.saturating_sub(real.total()));
        if refusal.never {
            prop_assert!(refusal.requested > real.limit || real.limit == 0);
            return Ok(());
        }
        let copy = |c: &Charge| Charge { ..*c };
        let mut model = Model {
            charges: real.charges.iter().map(copy).collect(),
            ..*real
        };
        let until = self.step(index, self.now + refusal.retry_after.as_secs());
        model.walk(until - 1);
        prop_assert!(
            model.total() + refusal.requested > model.limit,
            "could have come earlier"
        );
        model.walk(until);
        prop_assert!(
            model.total() + refusal.requested <= model.limit,
            "came too early"
        );
        Ok(())
    }

    fn close(
        &mut self,
        which: usize,
        used_of: impl Fn(u64) -> u64,
        close: impl FnOnce(Reservation, &dyn Fn(&Quota) -> Used),
    ) {
        if self.open.is_empty() {
            return;
        }
        let (id, reservation, taken) = self.open.swap_remove(which % self.open.len());
        close(reservation, &|quota| {
            let mine = taken.iter().find(|taken| taken.name == quota.name);
            used(used_of(mine.expect("a quota that was claimed").bound))
        });
        for Taken { account, bound, .. } in taken {
            self.models[account].settle(id, bound, used_of(bound));
        }
    }

    fn step(&self, quota: usize, now: u64) -> u64 {
        // the test's time 0 starts an hour, so every kind of step starts there too
        now / QUOTAS[quota].2
    }

    fn compare(&mut self) -> Result<(), TestCaseError> {
        for account in 0..self.models.len() {
            let (consumer, index) = (account / 3, account % 3);
            let step = self.step(index, self.now);
            let model = &mut self.models[account];
            model.walk(step);
            let subject = subject(CONSUMERS[consumer]);
            let state = self
                .ledger
                .state(&self.quotas[index], &subject, at(self.now));
            prop_assert_eq!(state.remaining, model.limit.saturating_sub(model.total()));
            prop_assert_eq!(state.debt, model.debt());
            prop_assert_eq!(state.reserved, model.reserved());
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_ledger_equals_the_model(steps in steps()) {
        let mut run = Run::new();
        for step in steps {
            run.apply(step)?;
        }
    }

    /// Over any number of windows, everything ever used is within the limits of those windows,
    /// however far single calls overran: what is over is paid later, never dropped.
    #[test]
    fn overruns_are_paid_in_full(
        calls in proptest::collection::vec((0..30u64, 0..30u64, 0..90u64), 1..200),
        sliding: bool,
    ) {
        const LIMIT: u64 = 50;
        let (_, window, seconds, steps) = QUOTAS[usize::from(sliding)];
        let (ledger, q) = (Ledger::memory(), quota("q", LIMIT, window, &[]));
        let (mut now, mut spent) = (0, 0);
        for (wait, bound, usage) in calls {
            now += wait;
            if let Ok(reservation) = ledger.reserve(&[claim(&q, "a", bound)], at(now)) {
                let windows = now / seconds / steps + 1;
                let kept = bound == 0 || spent + bound <= windows * LIMIT;
                prop_assert!(kept, "{spent} in {windows} windows");
                spent += usage;
                let _ = reservation.settle(|_, _| used(usage));
            }
        }
    }
}
