//! From links between ids to people.
//!
//! Ids that are linked, over any number of others, are one person, unless there are too many of them: a shared device
//! or a placeholder would weld people together that have nothing to do with each other. Then each device goes by time:
//! to whom it was linked last before the touchpoint, or first if none was before.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use crate::identity::blocked::is_blocked;
use crate::identity::union_find::UnionFind;

/// One statement about identity: from `valid_from` on, who was `anonymous_id` is known as `user_id`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Link {
    /// The device, cookie or other id that is not the person's name.
    pub anonymous_id: String,
    /// The person.
    pub user_id: String,
    /// Microseconds since the Unix epoch, UTC.
    pub valid_from: i64,
}

/// When ids that are linked are not one person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdentityLimits {
    /// More ids than this are not one person; a device linked to more people than this belongs to nobody.
    pub ids_per_person: usize,
    /// More known ids than this are not one person. An id is known if no link has it as `anonymous_id`.
    pub users_per_person: usize,
}

impl Default for IdentityLimits {
    fn default() -> Self {
        Self { ids_per_person: 50, users_per_person: 1 }
    }
}

/// What became of the links.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IdentitySummary {
    /// Distinct links.
    pub links: u64,
    /// Links left out because one of their ids identifies nobody, or both are the same.
    pub links_blocked: u64,
    /// People with more than one id.
    pub people: u64,
    /// Ids that became one of those people's.
    pub ids_merged: u64,
    /// Groups of linked ids that are too many for one person.
    pub groups_apart: u64,
    /// Devices in them that go by time.
    pub devices_by_time: u64,
    /// Devices in them that belong to nobody.
    pub devices_of_nobody: u64,
}

/// To whom an id belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Owner {
    /// Always to this one; index of the name.
    Person(usize),
    /// From each instant on to another id; sorted, not empty.
    ByTime(Vec<(i64, usize)>),
}

/// Knows the person of every linked id. O(links) memory.
#[derive(Debug, Clone, Default)]
pub struct Resolver {
    ids: Vec<String>,
    numbers: HashMap<String, usize>,
    /// By number of the device: since when it is known as which other id.
    links: BTreeMap<usize, Vec<(i64, usize)>>,
    /// By number of the id; `None` for one that keeps its name.
    owners: Vec<Option<Owner>>,
    /// Numbers from here on are of people of whom only hashes are left: no id is looked up as one of them.
    first_erased: usize,
    limits: IdentityLimits,
    summary: IdentitySummary,
}

impl Resolver {
    /// Resolves `links`, whose order does not matter. O(links log links).
    pub fn new(links: impl IntoIterator<Item = Link>, limits: IdentityLimits) -> Self {
        Self::build(links, &[], limits)
    }

    /// The same with links of people who were erased: the device, which has others too, the hash of the person, since when.
    fn build(
        links: impl IntoIterator<Item = Link>,
        erased: &[(&str, &str, i64)],
        limits: IdentityLimits,
    ) -> Self {
        let mut resolver = Self { limits, ..Self::default() };
        let distinct: BTreeSet<Link> = links.into_iter().collect();
        resolver.summary.links = distinct.len() as u64;
        let mut devices: BTreeMap<usize, Vec<(i64, usize)>> = BTreeMap::new();
        for link in distinct {
            let Link { anonymous_id, user_id, valid_from } = link;
            if is_blocked(&anonymous_id) || is_blocked(&user_id) || anonymous_id == user_id {
                resolver.summary.links_blocked += 1;
                continue;
            }
            let (device, user) = (resolver.number(anonymous_id), resolver.number(user_id));
            devices.entry(device).or_default().push((valid_from, user));
        }
        resolver.first_erased = resolver.ids.len();
        let mut persons: HashMap<&str, usize> = HashMap::new();
        for (device, person, valid_from) in erased {
            let user = *persons.entry(person).or_insert_with(|| {
                resolver.ids.push((*person).to_owned());
                resolver.ids.len() - 1
            });
            if let Some(device) = resolver.numbers.get(*device) {
                devices.entry(*device).or_default().push((*valid_from, user));
            }
        }
        let mut sets = UnionFind::new(resolver.ids.len());
        // The first instant at which an id is given as the name of another.
        let mut named_from: HashMap<usize, i64> = HashMap::new();
        for (device, links) in &devices {
            for (from, user) in links {
                sets.join(*device, *user);
                named_from.entry(*user).and_modify(|known| *known = (*known).min(*from)).or_insert(*from);
            }
        }
        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for id in 0..resolver.ids.len() {
            groups.entry(sets.find(id)).or_default().push(id);
        }
        resolver.owners = vec![None; resolver.ids.len()];
        for group in groups.into_values() {
            resolver.settle(&group, &devices, &named_from, limits);
        }
        resolver.links = devices;
        resolver
    }

    /// The same people and those who were erased: `links_of` tells since when an id was whose of them. `None` if no linked id
    /// was any of theirs. O(ids), and O(links log links) if there are some.
    pub fn with_erased<'a, Links>(&self, links_of: impl Fn(&str) -> Links) -> Option<Self>
    where
        Links: IntoIterator<Item = (i64, &'a str)>,
    {
        let mut erased = Vec::new();
        for id in &self.ids {
            erased.extend(
                links_of(id).into_iter().map(|(valid_from, person)| (id.as_str(), person, valid_from)),
            );
        }
        if erased.is_empty() {
            return None;
        }
        let others = self.links.iter().flat_map(|(device, links)| {
            links.iter().map(|(valid_from, user)| Link {
                anonymous_id: self.ids[*device].clone(),
                user_id: self.ids[*user].clone(),
                valid_from: *valid_from,
            })
        });
        Some(Self::build(others, &erased, self.limits))
    }

    /// Whether `id` was somebody's at the instant `ts_us` who was erased.
    pub fn is_erased(&self, id: &str, ts_us: i64) -> bool {
        self.person(id, ts_us).is_some_and(|number| number >= self.first_erased)
    }

    fn number(&mut self, id: String) -> usize {
        let next = self.ids.len();
        *self.numbers.entry(id).or_insert_with_key(|id| {
            self.ids.push(id.clone());
            next
        })
    }

    /// Decides about ids that are linked with each other and with no others.
    fn settle(
        &mut self,
        group: &[usize],
        devices: &BTreeMap<usize, Vec<(i64, usize)>>,
        named_from: &HashMap<usize, i64>,
        limits: IdentityLimits,
    ) {
        let known = group.iter().filter(|id| !devices.contains_key(id)).count();
        if group.len() <= limits.ids_per_person && known <= limits.users_per_person {
            // A circle of devices has no known id: then any of them can be the name.
            let names = group.iter().filter(|id| known == 0 || !devices.contains_key(id));
            let first = names.min_by_key(|id| (named_from.get(id), &self.ids[**id]));
            let Some(name) = first.copied() else { return };
            for id in group.iter().filter(|id| **id != name) {
                self.owners[*id] = Some(Owner::Person(name));
            }
            self.summary.people += 1;
            self.summary.ids_merged += group.len() as u64;
            return;
        }
        self.summary.groups_apart += 1;
        for (device, links) in group.iter().filter_map(|id| Some((*id, devices.get(id)?))) {
            let users: BTreeSet<usize> = links.iter().map(|(_, user)| *user).collect();
            if users.len() > limits.ids_per_person {
                self.summary.devices_of_nobody += 1;
                continue;
            }
            let mut links = links.clone();
            links.sort_by(|a, b| (a.0, &self.ids[a.1]).cmp(&(b.0, &self.ids[b.1])));
            self.owners[device] = Some(Owner::ByTime(links));
            self.summary.devices_by_time += 1;
        }
    }

    /// Whether any link has `id`.
    pub fn knows(&self, id: &str) -> bool {
        self.numbers.contains_key(id)
    }

    /// Whether no id has another name.
    pub fn is_empty(&self) -> bool {
        self.owners.iter().all(Option::is_none)
    }

    /// What became of the links.
    pub fn summary(&self) -> &IdentitySummary {
        &self.summary
    }

    /// The person behind `id` at the instant `ts_us`, microseconds since the epoch; `None` if it is the name already
    /// or nothing is known.
    pub fn resolve(&self, id: &str, ts_us: i64) -> Option<&str> {
        self.person(id, ts_us).map(|number| self.ids[number].as_str())
    }

    fn person(&self, id: &str, ts_us: i64) -> Option<usize> {
        let start = *self.numbers.get(id)?;
        let mut at = start;
        // A chain of devices can be no longer than there are ids; a circle has no end.
        for _ in 0..=self.ids.len() {
            match &self.owners[at] {
                None if at == start => return None,
                None => return Some(at),
                Some(Owner::Person(name)) => return Some(*name),
                Some(Owner::ByTime(links)) => {
                    let before = links.partition_point(|(from, _)| *from <= ts_us);
                    at = links[before.saturating_sub(1)].1;
                    if at == start {
                        return None;
                    }
                }
            }
        }
        None
    }

    /// All ids of the person called `id`, and devices that were never linked to anybody else.
    pub fn aliases(&self, id: &str) -> Vec<&str> {
        let Some(number) = self.numbers.get(id).copied() else { return Vec::new() };
        let name = match &self.owners[number] {
            Some(Owner::Person(name)) => *name,
            _ => number,
        };
        let others = self.always(name).chain([name]).filter(|other| *other != number);
        others.map(|other| self.ids[other].as_str()).collect()
    }

    /// Numbers of the ids that are never anybody's but of the one with the number `name`.
    fn always(&self, name: usize) -> impl Iterator<Item = usize> {
        let is_theirs = move |owner: &Option<Owner>| match owner {
            None => false,
            Some(Owner::Person(of)) => *of == name,
            Some(Owner::ByTime(links)) => links.iter().all(|(_, user)| *user == name),
        };
        let ids = self.owners.iter().enumerate();
        ids.filter(move |(id, owner)| *id != name && is_theirs(owner)).map(|(id, _)| id)
    }

    /// Each id that is always the same person's, with that person, sorted by person and id.
    pub fn merged(&self) -> Vec<(&str, &str)> {
        let mut pairs: Vec<(&str, &str)> = self
            .owners
            .iter()
            .enumerate()
            .filter_map(|(id, owner)| match owner {
                Some(Owner::Person(name)) => Some((self.ids[*name].as_str(), self.ids[id].as_str())),
                _ => None,
            })
            .collect();
        pairs.sort_unstable();
        pairs
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn link(anonymous_id: &str, user_id: &str, valid_from: i64) -> Link {
        Link { anonymous_id: anonymous_id.to_owned(), user_id: user_id.to_owned(), valid_from }
    }

    #[test]
    fn who_was_erased_keeps_the_times_that_were_theirs() {
        let people = resolver(&[("phone", "ben", 10), ("phone", "dan", 30), ("watch", "phone", 10)]);
        assert_eq!(people.resolve("phone", 25), Some("ben"));
        assert!(people.with_erased(|_| Vec::new()).is_none());
        let all = people.with_erased(|id| match id {
            "phone" => vec![(20, "hash")],
            _ => Vec::new(),
        });
        let all = all.expect("a device of theirs");
        let who = [5, 15, 25, 35].map(|ts| all.resolve("phone", ts).expect("somebody"));
        assert_eq!((who[0], who[1], who[3]), ("ben", "ben", "dan"));
        assert_eq!([5, 15, 25, 35].map(|ts| all.is_erased("phone", ts)), [false, false, true, false]);
        assert!(all.is_erased("watch", 25), "over another device");
        assert!(!all.knows("hash"), "an id that looks like the hash is another one");
    }

    fn resolver(links: &[(&str, &str, i64)]) -> Resolver {
        let links = links.iter().map(|(device, user, from)| link(device, user, *from));
        Resolver::new(links, IdentityLimits::default())
    }

    #[test]
    fn devices_of_one_person_are_that_person_at_any_time() {
        let people = resolver(&[("phone", "ann", 100), ("tablet", "ann", 200), ("old-phone", "phone", 300)]);
        for device in ["phone", "tablet", "old-phone"] {
            for ts in [0, 150, 1_000] {
                assert_eq!(people.resolve(device, ts), Some("ann"), "{device} at {ts}");
            }
        }
        assert_eq!(people.resolve("ann", 0), None, "the name itself");
        assert_eq!(people.resolve("ben", 0), None, "nothing is known");
        assert_eq!((people.summary().people, people.summary().ids_merged), (1, 4));
        assert_eq!(people.merged(), [("ann", "old-phone"), ("ann", "phone"), ("ann", "tablet")]);
    }

    #[test]
    fn a_device_of_two_people_goes_by_time_and_joins_nobody() {
        let links = [("tv", "ann", 100), ("tv", "ben", 200), ("phone", "ann", 50)];
        let people = resolver(&links);
        for (ts, owner) in [(0, "ann"), (100, "ann"), (199, "ann"), (200, "ben"), (999, "ben")] {
            assert_eq!(people.resolve("tv", ts), Some(owner), "at {ts}");
        }
        assert_eq!(people.resolve("phone", 999), Some("ann"), "her own device stays hers");
        assert_eq!((people.resolve("ann", 0), people.resolve("ben", 0)), (None, None));
        let summary = people.summary();
        assert_eq!((summary.people, summary.groups_apart, summary.devices_by_time), (0, 1, 2));
        assert_eq!(people.aliases("ann"), ["phone"]);
        // Who says that two names may be one person gets one, called as the first of them.
        let limits = IdentityLimits { users_per_person: 2, ..IdentityLimits::default() };
        let people = Resolver::new(links.map(|(device, user, from)| link(device, user, from)), limits);
        assert_eq!(people.resolve("ben", 0), Some("ann"));
    }

    #[test]
    fn placeholders_join_nobody() {
        let people =
            resolver(&[("unknown", "ann", 0), ("unknown", "ben", 0), ("phone", "NULL", 0), ("x", "x", 0)]);
        assert!(people.is_empty());
        assert_eq!((people.summary().links, people.summary().links_blocked), (4, 4));
    }

    #[test]
    fn a_device_of_everybody_belongs_to_nobody() {
        let mut links: Vec<Link> = (0..60).map(|n| link("kiosk", &format!("user-{n}"), n)).collect();
        links.push(link("phone", "user-7", 0));
        let people = Resolver::new(links, IdentityLimits::default());
        assert_eq!(people.resolve("kiosk", 30), None);
        assert_eq!(people.resolve("phone", 30), Some("user-7"));
        assert_eq!(people.summary().devices_of_nobody, 1);
    }

    #[test]
    fn devices_that_name_each_other_in_a_circle_are_one() {
        let people = resolver(&[("a", "b", 5), ("b", "c", 6), ("c", "a", 7)]);
        assert_eq!(people.resolve("a", 0), Some("b"), "named first");
        assert_eq!(people.resolve("c", 0), Some("b"));
        assert_eq!(people.resolve("b", 0), None);
    }

    /// Sets of linked ids, joined again and again until nothing changes.
    fn naive_sets(links: &[(u8, u8)]) -> Vec<BTreeSet<u8>> {
        let mut sets: Vec<BTreeSet<u8>> = links.iter().map(|(a, b)| BTreeSet::from([*a, *b])).collect();
        loop {
            let overlap = (0..sets.len())
                .find_map(|i| (i + 1..sets.len()).find(|j| !sets[i].is_disjoint(&sets[*j])).map(|j| (i, j)));
            let Some((i, j)) = overlap else { return sets };
            let other = sets.remove(j);
            sets[i].extend(other);
        }
    }

    proptest! {
        #[test]
        fn agrees_with_sets_that_are_joined_until_nothing_changes(
            pairs in prop::collection::vec((0..30_u8, 0..30_u8), 1..40),
            ids_per_person in 2..12_usize,
            users_per_person in 1..6_usize,
            ts in 0..40_i64,
        ) {
            let pairs: Vec<(u8, u8)> = pairs.into_iter().filter(|(a, b)| a != b).collect();
            let name = |id: u8| format!("id-{id:02}");
            let links: Vec<Link> = pairs
                .iter()
                .zip(0..)
                .map(|((a, b), from)| Link { anonymous_id: name(*a), user_id: name(*b), valid_from: from })
                .collect();
            let people = Resolver::new(links.clone(), IdentityLimits { ids_per_person, users_per_person });
            let backwards = Resolver::new(
                links.iter().rev().cloned(),
                IdentityLimits { ids_per_person, users_per_person },
            );
            let devices: BTreeSet<u8> = pairs.iter().map(|p| p.0).collect();
            for set in naive_sets(&pairs) {
                let known: Vec<u8> = set.iter().filter(|id| !devices.contains(id)).copied().collect();
                if set.len() <= ids_per_person && known.len() <= users_per_person {
                    let names = if known.is_empty() { set.iter().copied().collect() } else { known };
                    let named_from = |id: &u8| (pairs.iter().position(|p| p.1 == *id), *id);
                    let expected = names.into_iter().min_by_key(named_from).map(name).unwrap_or_default();
                    for id in &set {
                        let resolved = people.resolve(&name(*id), ts).unwrap_or(&name(*id)).to_owned();
                        prop_assert_eq!(&resolved, &expected);
                    }
                    continue;
                }
                for id in &set {
                    // Step by step by the last link before the instant.
                    let mut at = *id;
                    for _ in 0..=set.len() {
                        let of_id: Vec<(i64, u8)> =
                            pairs.iter().zip(0_i64..).filter(|(p, _)| p.0 == at).map(|(p, f)| (f, p.1)).collect();
                        let users: BTreeSet<u8> = of_id.iter().map(|l| l.1).collect();
                        if of_id.is_empty() || users.len() > ids_per_person {
                            break;
                        }
                        at = of_id.iter().rfind(|l| l.0 <= ts).unwrap_or(&of_id[0]).1;
                        if at == *id {
                            break;
                        }
                    }
                    let ends = !pairs.iter().any(|p| p.0 == at)
                        || pairs.iter().filter(|p| p.0 == at).map(|p| p.1).collect::<BTreeSet<u8>>().len()
                            > ids_per_person;
                    let expected = if ends && at != *id { Some(name(at)) } else { None };
                    prop_assert_eq!(people.resolve(&name(*id), ts).map(str::to_owned), expected);
                }
            }
            for id in 0..30 {
                prop_assert_eq!(people.resolve(&name(id), ts), backwards.resolve(&name(id), ts));
            }
        }
    }
}
