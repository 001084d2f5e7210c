//! Items that have something in common, directly or by others.

use std::collections::HashMap;

/// Groups of the numbers from 0 on, each in order, in the order of their first; `keys` tells what a number has in common with
/// others.
pub(super) fn groups(count: usize, keys: impl Fn(usize) -> Vec<String>) -> Vec<Vec<usize>> {
    let mut first_with: HashMap<String, usize> = HashMap::new();
    let mut parents: Vec<usize> = (0..count).collect();
    for number in 0..count {
        for key in keys(number) {
            let other = *first_with.entry(key).or_insert(number);
            let (one, other) = (root(&mut parents, number), root(&mut parents, other));
            // The lowest number stands for its group.
            if let Some(parent) = parents.get_mut(one.max(other)) {
                *parent = one.min(other);
            }
        }
    }
    let mut groups: Vec<Vec<usize>> = vec![Vec::new(); count];
    for number in 0..count {
        let root = root(&mut parents, number);
        if let Some(group) = groups.get_mut(root) {
            group.push(number);
        }
    }
    groups.retain(|group| !group.is_empty());
    groups
}

/// Who stands for the group of a number; the way there is halved as it is gone.
fn root(parents: &mut [usize], mut number: usize) -> usize {
    while let Some(parent) = parents.get(number).copied().filter(|parent| *parent != number) {
        let above = parents.get(parent).copied().unwrap_or(parent);
        if let Some(own) = parents.get_mut(number) {
            *own = above;
        }
        number = above;
    }
    number
}

#[cfg(test)]
mod tests {
    use super::groups;

    fn check(keys: &[&[&str]], expected: &[&[usize]]) {
        let found = groups(keys.len(), |number| keys[number].iter().map(|key| (*key).to_owned()).collect());
        assert_eq!(found, expected, "{keys:?}");
    }

    #[test]
    fn what_has_something_in_common_goes_together() {
        check(&[], &[]);
        check(&[&[], &[]], &[&[0], &[1]]);
        check(&[&["a"], &["b"], &["a"]], &[&[0, 2], &[1]]);
        check(&[&["a"], &["b"], &["c"], &["c", "a"], &["b"]], &[&[0, 2, 3], &[1, 4]]);
        check(&[&["d"], &["c"], &["b"], &["a"], &["a", "b"], &["b", "c"], &["c", "d"]], &[&[0, 1, 2, 3, 4, 5, 6]]);
    }
}
