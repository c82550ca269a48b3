//! Disjoint sets of numbers.

/// Sets of the numbers below a limit, which start alone. Near O(1) per operation, amortised.
#[derive(Debug)]
pub struct UnionFind {
    /// The number above in its tree; itself at the top.
    above: Vec<usize>,
    /// Size of the set, valid at the top.
    sizes: Vec<usize>,
}

impl UnionFind {
    /// `count` sets of one number each.
    pub fn new(count: usize) -> Self {
        Self { above: (0..count).collect(), sizes: vec![1; count] }
    }

    /// The number that stands for the set of `number`.
    pub fn find(&mut self, mut number: usize) -> usize {
        while self.above[number] != number {
            // Half of the way is cut off for the next time.
            self.above[number] = self.above[self.above[number]];
            number = self.above[number];
        }
        number
    }

    /// Makes one set of the sets of `a` and `b`.
    pub fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        if a == b {
            return;
        }
        let (large, small) = if self.sizes[a] < self.sizes[b] { (b, a) } else { (a, b) };
        self.above[small] = large;
        self.sizes[large] += self.sizes[small];
    }
}
