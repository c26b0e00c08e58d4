//! The transitions of a saga, one by one.

use super::*;

const MINUTE: Duration = Duration::from_secs(60);

fn plan() -> Vec<(String, Stage)> {
    let stages = [Stage::Step, Stage::Delay(MINUTE), Stage::Wait, Stage::Step];
    let names = ["hotel", "night", "paid", "card"];
    names.into_iter().map(str::to_owned).zip(stages).collect()
}

fn json(text: &str) -> Payload {
    Payload::parse(text).unwrap()
}

/// A saga that runs, having finished the first `done` steps.
fn at(done: usize) -> Situation {
    let mut standing = Situation {
        plan: plan(),
        progress: SagaProgress { state: SagaState::Running, ..SagaProgress::new(json("0")) },
        timer: None,
        is_past_deadline: false,
        has_signal: false,
        now: DateTime::UNIX_EPOCH,
    };
    for step in 0..done {
        standing.progress = standing.ran(step, Outcome::Done(json("0")), times()).progress;
    }
    standing
}

/// A saga that has given up with the first `done` steps finished.
fn unwinding(done: usize) -> Situation {
    let standing = at(done);
    let made = give_up(standing.stay(), &standing.plan, "enough");
    Situation { progress: made.progress, ..standing }
}

fn times() -> Times {
    Times { started_at: DateTime::UNIX_EPOCH, finished_at: DateTime::UNIX_EPOCH }
}

fn failed(is_in_doubt: bool, retry_in: Option<Duration>) -> Outcome {
    Outcome::Failed { error: "no".to_owned(), is_in_doubt, retry_in }
}

fn written(next: Next) -> Decision {
    match next {
        Next::Write(made) => made,
        Next::Try(attempt) => panic!("a move was expected, not {attempt:?}"),
    }
}

fn state(made: &Decision) -> (SagaState, Then) {
    (made.progress.state, made.then)
}

#[test]
fn a_step_is_run_unless_its_timer_runs() {
    let mut standing = at(0);
    assert_eq!(standing.next(None), Next::Try(Attempt::Run(0)));
    standing.timer = Some(MINUTE);
    let sleeps = written(standing.next(None));
    assert_eq!((state(&sleeps), sleeps.timer), ((SagaState::Running, Then::Sleep), Some(MINUTE)));
    standing.timer = Some(Duration::ZERO);
    assert_eq!(standing.next(None), Next::Try(Attempt::Run(0)));
}

#[test]
fn a_step_that_is_done_leads_to_the_next_and_the_last_one_to_the_end() {
    let made = at(0).after(Attempt::Run(0), Outcome::Done(json("1")), times());
    assert_eq!(state(&made), (SagaState::Running, Then::Continue));
    assert_eq!((made.progress.current_step, made.progress.data.as_str()), (1, "1"));
    let made = at(3).after(Attempt::Run(3), Outcome::Done(json("1")), times());
    assert_eq!(state(&made), (SagaState::Completed, Then::Rest));
    assert_eq!(made.progress.completed_steps(), 4);
}

#[test]
fn a_delay_sets_its_timer_once_and_is_done_when_it_has_run_out() {
    let mut standing = at(1);
    let sleeps = written(standing.next(None));
    assert_eq!((sleeps.then, sleeps.timer), (Then::Sleep, Some(MINUTE)));
    standing.timer = Some(MINUTE / 2);
    assert_eq!(written(standing.next(None)).timer, Some(MINUTE / 2));
    standing.timer = Some(Duration::ZERO);
    let made = written(standing.next(None));
    assert_eq!((made.progress.current_step, made.timer), (2, None));
}

#[test]
fn a_wait_asks_for_its_key_then_sleeps_until_signal_or_timer() {
    let mut standing = at(2);
    assert_eq!(standing.next(None), Next::Try(Attempt::Await(2)));
    let key = SignalKey::from_static("paid-1");
    let outcome = Outcome::Waiting { key: key.clone(), timeout: Some(MINUTE) };
    let waits = standing.after(Attempt::Await(2), outcome, times());
    assert_eq!((waits.then, waits.timer), (Then::Sleep, Some(MINUTE)));
    assert_eq!(waits.progress.waiting_for, Some(key));
    standing.progress = waits.progress;
    for timer in [None, Some(MINUTE)] {
        standing.timer = timer;
        assert_eq!(written(standing.next(None)).then, Then::Sleep);
    }
    standing.timer = Some(Duration::ZERO);
    assert_eq!(standing.next(None), Next::Try(Attempt::TimeOut(2)));
    standing.has_signal = true;
    assert_eq!(standing.next(None), Next::Try(Attempt::Receive(2)));
    let made = standing.after(Attempt::Receive(2), Outcome::Done(json("1")), times());
    assert!(made.consumes);
    assert_eq!((made.progress.waiting_for, made.progress.current_step), (None, 3));
}

#[test]
fn a_failure_that_is_tried_again_sleeps_and_counts() {
    let made = at(3).after(Attempt::Run(3), failed(true, Some(MINUTE)), times());
    assert_eq!((state(&made), made.timer), ((SagaState::Running, Then::Sleep), Some(MINUTE)));
    let step = &made.progress.steps[3];
    assert_eq!((step.outcome, step.attempts, step.is_in_doubt), (StepOutcome::Pending, 1, true));
    assert_eq!(made.progress.error.as_deref(), Some("step card: no"));
}

#[test]
fn what_is_given_up_is_compensated_only_when_in_doubt_and_newest_first() {
    for (is_in_doubt, next) in [(false, 0), (true, 3)] {
        let made = at(3).after(Attempt::Run(3), failed(is_in_doubt, None), times());
        assert_eq!(state(&made), (SagaState::Compensating, Then::Continue));
        assert_eq!(made.progress.current_step, next);
        assert_eq!(made.progress.steps[3].outcome, StepOutcome::Failed);
    }
    let made = at(0).after(Attempt::Run(0), failed(false, None), times());
    assert_eq!(state(&made), (SagaState::Compensated, Then::Rest), "nothing is to be undone");
}

#[test]
fn past_its_deadline_a_saga_gives_up_before_a_step_and_instead_of_a_retry() {
    let standing = Situation { is_past_deadline: true, ..at(3) };
    let made = written(standing.next(None));
    assert_eq!(state(&made), (SagaState::Compensating, Then::Continue));
    let made = standing.after(Attempt::Run(3), failed(false, Some(MINUTE)), times());
    assert_eq!(state(&made), (SagaState::Compensating, Then::Continue));
    let standing = Situation { is_past_deadline: true, ..unwinding(1) };
    assert_eq!(standing.next(None), Next::Try(Attempt::Compensate(0)));
}

#[test]
fn compensations_go_on_to_the_end_and_skip_what_has_no_effect() {
    let standing = unwinding(4);
    assert_eq!(standing.next(None), Next::Try(Attempt::Compensate(3)));
    let made = standing.after(Attempt::Compensate(3), Outcome::Done(json("1")), times());
    assert_eq!(state(&made), (SagaState::Compensating, Then::Continue));
    assert_eq!(made.progress.current_step, 0);
    let standing = Situation { progress: made.progress, ..standing };
    let made = standing.after(Attempt::Compensate(0), Outcome::Done(json("2")), times());
    assert_eq!(state(&made), (SagaState::Compensated, Then::Rest));
    assert_eq!(made.progress.error.as_deref(), Some("enough"));
}

#[test]
fn a_compensation_that_gives_up_fails_the_saga_until_retry_or_skip() {
    let standing = unwinding(1);
    let sleeps = standing.after(Attempt::Compensate(0), failed(false, Some(MINUTE)), times());
    assert_eq!(state(&sleeps), (SagaState::Compensating, Then::Sleep));
    let made = standing.after(Attempt::Compensate(0), failed(false, None), times());
    assert_eq!(state(&made), (SagaState::Failed, Then::Rest));
    let standing = Situation { progress: made.progress, ..standing };
    assert_eq!(written(standing.next(None)).then, Then::Rest);

    let retried = written(standing.next(Some(SagaRequest::Retry)));
    assert_eq!(state(&retried), (SagaState::Compensating, Then::Continue));
    assert_eq!(retried.progress.steps[0].compensation_attempts, 0);
    let again = Situation { progress: retried.progress, ..standing.clone() };
    assert_eq!(again.next(None), Next::Try(Attempt::Compensate(0)));
    let skipped = written(standing.next(Some(SagaRequest::Skip)));
    assert_eq!(state(&skipped), (SagaState::Compensated, Then::Rest));
    assert_eq!(skipped.progress.steps[0].outcome, StepOutcome::Skipped);
}

#[test]
fn a_pause_keeps_the_timer_and_the_way_and_a_resume_takes_them_up() {
    for standing in [at(1), unwinding(1)] {
        let standing = Situation { timer: Some(MINUTE), ..standing };
        let paused = written(standing.next(Some(SagaRequest::Pause)));
        assert_eq!(state(&paused), (SagaState::Paused, Then::Rest));
        assert_eq!(paused.timer, Some(MINUTE));
        let before = standing.progress.state;
        let standing = Situation { progress: paused.progress, ..standing };
        let resumed = written(standing.next(Some(SagaRequest::Resume)));
        assert_eq!(state(&resumed), (before, Then::Continue));
        assert_eq!(resumed.timer, Some(MINUTE));
    }
}

#[test]
fn a_request_that_comes_during_a_step_is_obeyed_with_its_outcome() {
    let done = at(0).after(Attempt::Run(0), Outcome::Done(json("1")), times());
    let paused = done.clone().under(Some(SagaRequest::Pause), &plan());
    assert_eq!(state(&paused), (SagaState::Paused, Then::Rest));
    assert_eq!(paused.progress.current_step, 1);
    let cancelled = done.under(Some(SagaRequest::Cancel), &plan());
    assert_eq!(state(&cancelled), (SagaState::Compensating, Then::Continue));

    let last = at(3).after(Attempt::Run(3), Outcome::Done(json("1")), times());
    let paused = last.clone().under(Some(SagaRequest::Pause), &plan());
    assert_eq!(state(&paused), (SagaState::Completed, Then::Rest), "there is nothing to pause");
    let cancelled = last.under(Some(SagaRequest::Cancel), &plan());
    assert_eq!(state(&cancelled), (SagaState::Compensating, Then::Continue));
    assert_eq!(cancelled.progress.current_step, 3);

    let retries = at(3).after(Attempt::Run(3), failed(true, Some(MINUTE)), times());
    let cancelled = retries.under(Some(SagaRequest::Cancel), &plan());
    assert_eq!((cancelled.progress.current_step, cancelled.timer), (3, None), "it is in doubt");
}

#[test]
fn an_unwinding_saga_is_not_cancelled_again() {
    let standing = unwinding(1);
    let made = written(standing.next(Some(SagaRequest::Cancel)));
    assert_eq!(made.progress, standing.progress);
}

#[test]
fn a_takeover_leaves_the_current_step_in_doubt_and_nothing_else() {
    let mut running = at(3);
    running.doubt(Owner::new("a"), &Owner::new("b"));
    assert!(running.progress.steps[3].is_in_doubt);
    assert_eq!(running.next(None), Next::Try(Attempt::Run(3)));
    let cancelled = written(running.next(Some(SagaRequest::Cancel)));
    assert_eq!(cancelled.progress.current_step, 3, "it may have been run");
    for mut standing in [at(1), at(2), unwinding(3)] {
        let doubts = standing.progress.steps.iter().filter(|step| step.is_in_doubt).count();
        doubt(&mut standing);
        let now = standing.progress.steps.iter().filter(|step| step.is_in_doubt).count();
        assert_eq!(now, doubts);
    }
}

/// Another worker each time, and a new one that takes over.
fn doubt(standing: &mut Situation) -> bool {
    standing.doubt(Owner::new("former"), &Owner::new("claimant"))
}

#[test]
fn workers_that_take_a_saga_over_from_each_other_have_not_died() {
    let owners = [Owner::new("a"), Owner::new("b"), Owner::new("c")];
    let mut standing = at(3);
    for nth in 0..9 {
        assert!(standing.doubt(owners[nth % 3].clone(), &owners[(nth + 1) % 3]));
        assert!(standing.deaths() <= 2, "none of those who came back");
        standing.progress = standing.begun().progress;
    }
    assert_eq!(standing.lost_attempts(), 9);
    let mut alone = at(3);
    assert!(alone.doubt(owners[0].clone(), &owners[0]));
    assert_eq!((alone.deaths(), alone.lost_attempts()), (0, 1), "taken over from itself");
}

#[test]
fn an_attempt_that_was_lost_counts_once_until_another_is_begun() {
    for mut standing in [at(0), at(2), at(3), unwinding(1)] {
        for lost in 1..4 {
            assert!(doubt(&mut standing));
            assert_eq!((standing.lost_attempts(), standing.deaths()), (lost, lost));
            assert!(doubt(&mut standing));
            assert_eq!(
                (standing.lost_attempts(), standing.deaths()),
                (lost, lost),
                "it was not begun since"
            );
            standing.progress = standing.begun().progress;
        }
        let given_up = give_up(standing.stay(), &standing.plan, "enough");
        let given_up = Situation { progress: given_up.progress, ..standing };
        assert_eq!(given_up.lost_attempts(), 0, "another step is next");
    }
    let mut asleep = at(1);
    assert!(!doubt(&mut asleep), "a delay ends nobody");
    let mut standing = at(3);
    doubt(&mut standing);
    let back = standing.after(Attempt::Run(3), failed(true, Some(MINUTE)), times());
    assert_eq!(back.progress.steps[3].lost_attempts, 0, "it came back");
}

#[test]
fn a_saga_with_other_steps_or_another_state_is_paused() {
    let standing = at(1);
    let begun: Vec<String> = plan().into_iter().map(|(name, _)| name).collect();
    assert_eq!(standing.mismatch(&begun), None);
    assert!(standing.mismatch(&begun[..3]).unwrap().contains("begun with the steps"));
    let outcome = Outcome::Unreadable("odd".to_owned());
    let made = standing.after(Attempt::Run(1), outcome, times());
    assert_eq!(state(&made), (SagaState::Paused, Then::Rest));
    assert_eq!(made.progress.steps, standing.progress.steps);
}

#[test]
fn a_saga_that_cannot_be_read_keeps_the_way_and_a_cancellation() {
    for standing in [at(2), unwinding(2)] {
        let cancelled = standing.unreadable("odd".to_owned(), Some(SagaRequest::Cancel));
        assert_eq!(state(&cancelled), (SagaState::Paused, Then::Rest));
        assert!(cancelled.progress.is_unwinding);
        let asked = standing.unreadable("odd".to_owned(), Some(SagaRequest::Resume));
        assert_eq!(asked.progress.is_unwinding, standing.progress.is_unwinding);
        let standing = Situation { progress: cancelled.progress, ..standing };
        let resumed = written(standing.next(Some(SagaRequest::Resume)));
        assert_eq!(state(&resumed), (SagaState::Compensating, Then::Continue));
    }
}

/// Every request at every place: nothing is lost, and nothing moves that rests.
#[test]
fn no_request_at_any_place_loses_an_effect_that_stands() {
    let places = (0..=4).flat_map(|done| [at(done), unwinding(done)]);
    for standing in places {
        for request in SagaRequest::ALL {
            let Next::Write(made) = standing.next(Some(request)) else { continue };
            let (before, after) = (&standing.progress, &made.progress);
            let effects = |progress| newest_effect(progress, &standing.plan).is_some();
            if after.state == SagaState::Compensated {
                assert!(!effects(before), "{request} of {before:?}");
            }
            assert_eq!(before.steps.len(), after.steps.len());
            let is_at_rest = after.state.is_at_rest();
            assert_eq!(made.then == Then::Rest, is_at_rest, "{request} of {before:?}");
        }
    }
}
