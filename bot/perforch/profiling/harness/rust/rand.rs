//! Stands in for the crate `rand` 0.4, with a fixed seed (environment variable HX_SEED), so that tests repeat.
use std::cell::Cell;

thread_local!(static STATE: Cell<u64> = Cell::new(seed()));

fn seed() -> u64 {
    std::env::var("HX_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

/// SplitMix64 (Steele, Lea, Flood 2014).
fn next() -> u64 {
    STATE.with(|state| {
        let moved = state.get().wrapping_add(0x9e3779b97f4a7c15);
        state.set(moved);
        let mut z = moved;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58476d1ce4e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d049bb133111eb);
        z ^ (z >> 31)
    })
}

pub trait Rand: Sized {
    fn rand() -> Self;
}

pub trait SampleRange: Sized {
    fn between(low: Self, high: Self) -> Self;
}

macro_rules! integers {
    ($($kind:ty),*) => {$(
        impl Rand for $kind {
            fn rand() -> Self {
                next() as $kind
            }
        }
        impl SampleRange for $kind {
            fn between(low: Self, high: Self) -> Self {
                assert!(low < high, "gen_range called with low >= high");
                let width = (high as i128 - low as i128) as u128;
                (low as i128 + (next() as u128 % width) as i128) as $kind
            }
        }
    )*};
}
integers!(i8, i16, i32, i64, isize, u8, u16, u32, u64, usize);

macro_rules! floats {
    ($($kind:ty),*) => {$(
        impl Rand for $kind {
            fn rand() -> Self {
                (next() >> 11) as $kind / (1u64 << 53) as $kind
            }
        }
        impl SampleRange for $kind {
            fn between(low: Self, high: Self) -> Self {
                low + <$kind as Rand>::rand() * (high - low)
            }
        }
    )*};
}
floats!(f32, f64);

impl Rand for bool {
    fn rand() -> Self {
        next() & 1 == 1
    }
}

impl Rand for char {
    fn rand() -> Self {
        loop {
            if let Some(character) = std::char::from_u32(next() as u32 % 0x110000) {
                return character;
            }
        }
    }
}

pub trait Rng {
    fn next_u32(&mut self) -> u32 {
        next() as u32
    }
    fn next_u64(&mut self) -> u64 {
        next()
    }
    fn gen<T: Rand>(&mut self) -> T
    where
        Self: Sized,
    {
        T::rand()
    }
    fn gen_range<T: SampleRange>(&mut self, low: T, high: T) -> T
    where
        Self: Sized,
    {
        T::between(low, high)
    }
    fn gen_bool(&mut self, p: f64) -> bool
    where
        Self: Sized,
    {
        f64::rand() < p
    }
    fn shuffle<T>(&mut self, values: &mut [T])
    where
        Self: Sized,
    {
        for place in (1..values.len()).rev() {
            values.swap(place, usize::between(0, place + 1));
        }
    }
}

#[derive(Clone, Debug)]
pub struct ThreadRng;

impl Rng for ThreadRng {}

pub fn thread_rng() -> ThreadRng {
    ThreadRng
}

pub fn random<T: Rand>() -> T {
    T::rand()
}
