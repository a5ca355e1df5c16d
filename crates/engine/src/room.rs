//! What is under way in this process, and how much more it may take up: fair between lanes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use habeas_casework::lanes::Lane;
use habeas_domain::ConnectionId;
use tokio::sync::Notify;

/// What a lane has at this moment.
#[derive(Clone, Copy, Debug, Default)]
struct Use {
    places: usize,
    /// Nothing is taken up before, on the clock that never jumps.
    paused_until: Duration,
}

/// Places for work. Mails are not the workers' to carry: they take none of the places that operations share.
#[derive(Debug, Default)]
pub(crate) struct Room {
    lanes: Mutex<BTreeMap<Lane, Use>>,
    done: AtomicU64,
    freed: Notify,
}

/// How many pieces of work a lane may have under way, and how many it wants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wanted {
    pub(crate) lane: Lane,
    /// Its own bound.
    pub(crate) width: usize,
}

impl Room {
    fn lanes(&self) -> std::sync::MutexGuard<'_, BTreeMap<Lane, Use>> {
        self.lanes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes places in a lane until the value is dropped, also by a panic.
    pub(crate) fn occupy(self: &Arc<Self>, lane: Lane, places: usize) -> Occupied {
        self.lanes().entry(lane).or_default().places += places;
        Occupied { room: Arc::clone(self), lane, places }
    }

    /// Whether too little is free for looking to be worth it.
    pub(crate) fn is_full(&self, places: usize) -> bool {
        places.saturating_sub(self.shared()) * 4 < places
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.shared() == 0
    }

    /// Places that operations and the like have taken.
    fn shared(&self) -> usize {
        self.lanes().iter().filter(|(lane, _)| !is_mails(**lane)).map(|(_, used)| used.places).sum()
    }

    /// Resolves when a place is free again.
    pub(crate) async fn freed(&self) {
        self.freed.notified().await;
    }

    /// Takes nothing up in a lane before a time: its vendor gives no leave until then.
    pub(crate) fn pause(&self, lane: Lane, until: Duration) {
        let mut lanes = self.lanes();
        let used = lanes.entry(lane).or_default();
        used.paused_until = used.paused_until.max(until);
    }

    /// When the next pause ends, if one lasts.
    pub(crate) fn next_end_of_pause(&self, now: Duration) -> Option<Duration> {
        self.lanes().values().map(|used| used.paused_until).filter(|until| *until > now).min()
    }

    /// What is under way, by lane, and what was carried out since the start.
    pub(crate) fn under_way(&self) -> (BTreeMap<String, u64>, u64) {
        let lanes = self.lanes();
        let busy = lanes.iter().filter(|(_, used)| used.places > 0);
        let under_way = busy.map(|(lane, used)| (lane.to_string(), used.places as u64)).collect();
        (under_way, self.done.load(Ordering::SeqCst))
    }

    /// How many pieces of work to claim from each lane. Looking costs a statement, so a full house is not asked each time
    /// that a place is free; `it_is_time` asks the mails even then, so that they do not wait behind vendors.
    pub(crate) fn shares(
        &self,
        places: usize,
        wanted: &[Wanted],
        now: Duration,
        it_is_time: bool,
    ) -> Vec<(Lane, usize)> {
        let free = places.saturating_sub(self.shared());
        let has_room = !self.is_full(places);
        let lanes = self.lanes();
        let used = |lane: Lane| lanes.get(&lane).copied().unwrap_or_default();
        let is_asking = |one: &Wanted| used(one.lane).paused_until <= now && own_share(*one, used) > 0;
        // No vendor keeps more than its part of all places while others have work: a slow one would otherwise hold every
        // place in the end. Alone, it leaves some for whoever comes next.
        let active: BTreeSet<ConnectionId> = wanted
            .iter()
            .filter(|one| used(one.lane).places > 0 || is_asking(one))
            .filter_map(|one| one.lane.connection())
            .collect();
        let most = if active.len() > 1 { places.div_ceil(active.len()) } else { (places * 3).div_ceil(4) };
        let asking: Vec<(Lane, usize)> = wanted
            .iter()
            .filter(|one| is_asking(one))
            .filter(|one| has_room || (it_is_time && is_mails(one.lane)))
            .filter_map(|one| {
                let own = own_share(*one, used);
                // A claim costs the same for one as for many: a wide lane waits until it has room for several.
                let is_worth_it = own * 4 >= one.width || one.width <= 8;
                let bound = match one.lane {
                    Lane::Operations { .. } => most.saturating_sub(used(one.lane).places),
                    _ => own,
                };
                Some((one.lane, own.min(bound))).filter(|(_, count)| is_worth_it && *count > 0)
            })
            .collect();
        // Equal turns: nor does a lane take more than its part of what is free.
        let sharing = asking.iter().filter(|(lane, _)| !is_mails(*lane)).count();
        let share = free.div_ceil(sharing.max(1));
        asking
            .into_iter()
            .map(|(lane, count)| (lane, if is_mails(lane) { count } else { count.min(share) }))
            .collect()
    }
}

const fn is_mails(lane: Lane) -> bool {
    matches!(lane, Lane::Mails { .. })
}

/// What a lane may still take up within its own bound. A connection's two lanes share one: the imports get what single
/// requests leave, single requests always get a quarter.
fn own_share(one: Wanted, used: impl Fn(Lane) -> Use) -> usize {
    let Wanted { lane, width } = one;
    let own = used(lane).places;
    match lane {
        Lane::Operations { connection, bulk } => {
            let other = used(Lane::Operations { connection, bulk: !bulk }).places;
            let bound = width.saturating_sub(other).max(if bulk { 1 } else { width.div_ceil(4) });
            bound.saturating_sub(own)
        }
        _ => width.saturating_sub(own),
    }
}

/// Places in a lane, free again when dropped.
pub(crate) struct Occupied {
    room: Arc<Room>,
    lane: Lane,
    places: usize,
}

impl Drop for Occupied {
    fn drop(&mut self) {
        if let Some(used) = self.room.lanes().get_mut(&self.lane) {
            used.places = used.places.saturating_sub(self.places);
        }
        self.room.done.fetch_add(self.places as u64, Ordering::SeqCst);
        self.room.freed.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1);

    fn connection(number: u8) -> Lane {
        Lane::of(format!("con_000000000000700080000000000000{number:02}").parse().unwrap())
    }

    fn bulk_of(lane: Lane) -> Lane {
        Lane::Operations { connection: lane.connection().unwrap(), bulk: true }
    }

    fn wide(lane: Lane) -> Wanted {
        Wanted { lane, width: 128 }
    }

    #[test]
    fn a_lane_that_is_alone_leaves_places_for_whoever_comes_next() {
        let room = Arc::new(Room::default());
        let (slow, fast) = (connection(1), connection(2));
        assert_eq!(room.shares(128, &[wide(slow)], NOW, true), [(slow, 96)]);
        let _held = room.occupy(slow, 96);
        assert_eq!(room.shares(128, &[wide(slow), wide(fast)], NOW, true), [(fast, 32)]);
    }

    #[test]
    fn a_slow_lane_never_drives_out_a_fast_one() {
        let room = Arc::new(Room::default());
        let (slow, fast) = (connection(1), connection(2));
        let mut held = Vec::new();
        // The slow one never gives a place back; the fast one always does.
        for _ in 0..100 {
            for (lane, count) in room.shares(128, &[wide(slow), wide(fast)], NOW, true) {
                if lane == slow {
                    held.push(room.occupy(lane, count));
                }
            }
        }
        assert_eq!(room.shares(128, &[wide(slow), wide(fast)], NOW, true), [(fast, 64)]);
    }

    #[test]
    fn a_single_request_does_not_wait_behind_an_import() {
        let room = Arc::new(Room::default());
        let single = connection(1);
        let import = bulk_of(single);
        let narrow = |lane| Wanted { lane, width: 4 };
        assert_eq!(room.shares(128, &[narrow(import)], NOW, true), [(import, 4)]);
        let _held = room.occupy(import, 4);
        assert_eq!(room.shares(128, &[narrow(single), narrow(import)], NOW, true), [(single, 1)]);
        let _more = room.occupy(single, 1);
        assert_eq!(room.shares(128, &[narrow(single), narrow(import)], NOW, true), []);
    }

    #[test]
    fn mails_go_past_a_full_house_and_a_pause_holds_one_lane_only() {
        let room = Arc::new(Room::default());
        let (slow, mails) = (connection(1), Lane::Mails { bulk: false });
        let _held = room.occupy(slow, 128);
        let all = [wide(slow), Wanted { lane: mails, width: 256 }];
        assert_eq!(room.shares(128, &all, NOW, false), []);
        assert_eq!(room.shares(128, &all, NOW, true), [(mails, 256)]);
        let quick = connection(2);
        room.pause(quick, NOW * 2);
        let roomy = [wide(quick), wide(connection(3))];
        assert_eq!(
            room.shares(512, &roomy, NOW, true).iter().map(|one| one.0).collect::<Vec<_>>(),
            [connection(3)]
        );
        assert_eq!(room.next_end_of_pause(NOW), Some(NOW * 2));
        assert_eq!(room.shares(512, &roomy, NOW * 2, true).len(), 2);
    }
}
