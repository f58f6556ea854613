//! Where the nodes of a picture are: after Fruchterman and Reingold (1991), nodes push each other away and links pull, less
//! and less. Equal graphs give equal pictures.

/// Steps until everything rests.
const STEPS: usize = 200;

/// A place in the picture; both from 0 to 1.
pub(super) type Point = (f64, f64);

/// A place for each of `nodes` nodes, between which there are these links.
pub(super) fn place(nodes: usize, links: &[(usize, usize)]) -> Vec<Point> {
    let turn = std::f64::consts::TAU / nodes.max(1) as f64;
    let mut places: Vec<Point> = (0..nodes).map(|n| ((n as f64 * turn).cos(), (n as f64 * turn).sin())).collect();
    if nodes < 3 {
        return fit(places);
    }
    let apart = (4.0 / nodes as f64).sqrt();
    for step in 0..STEPS {
        let mut moves = vec![(0.0, 0.0); nodes];
        for a in 0..nodes {
            for b in a + 1..nodes {
                let (dx, dy, distance) = between(places[a], places[b]);
                push(&mut moves, (a, b), (dx, dy), apart * apart / distance);
            }
        }
        for (a, b) in links {
            let (dx, dy, distance) = between(places[*a], places[*b]);
            push(&mut moves, (*a, *b), (dx, dy), -distance * distance / apart);
        }
        let most = 0.2 * (1.0 - step as f64 / STEPS as f64);
        for (place, (dx, dy)) in places.iter_mut().zip(moves) {
            // Parts without a link between them would drift apart for ever.
            let (dx, dy) = (dx - 0.3 * place.0, dy - 0.3 * place.1);
            let length = dx.hypot(dy).max(f64::EPSILON);
            place.0 += dx / length * length.min(most);
            place.1 += dy / length * length.min(most);
        }
    }
    fit(places)
}

/// The direction from `b` to `a`, and how far they are apart.
fn between(a: Point, b: Point) -> (f64, f64, f64) {
    let (dx, dy) = (a.0 - b.0, a.1 - b.1);
    let distance = dx.hypot(dy).max(1e-6);
    (dx / distance, dy / distance, distance)
}

fn push(moves: &mut [Point], (a, b): (usize, usize), (dx, dy): Point, strength: f64) {
    moves[a].0 += dx * strength;
    moves[a].1 += dy * strength;
    moves[b].0 -= dx * strength;
    moves[b].1 -= dy * strength;
}

/// The same picture, from 0 to 1.
fn fit(mut places: Vec<Point>) -> Vec<Point> {
    let range = |values: &mut dyn Iterator<Item = f64>| {
        values.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)))
    };
    let (left, right) = range(&mut places.iter().map(|place| place.0));
    let (top, bottom) = range(&mut places.iter().map(|place| place.1));
    let scaled = |value: f64, low: f64, high: f64| if high - low < 1e-9 { 0.5 } else { (value - low) / (high - low) };
    for place in &mut places {
        *place = (scaled(place.0, left, right), scaled(place.1, top, bottom));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_nodes_are_in_the_picture_and_no_two_at_one_place() {
        for nodes in [0, 1, 2, 3, 40] {
            let ring: Vec<_> = (0..nodes).map(|n| (n, (n + 1) % nodes)).filter(|(a, b)| a != b).collect();
            let places = place(nodes, &ring);
            assert_eq!(places.len(), nodes);
            assert!(places.iter().all(|(x, y)| (0.0..=1.0).contains(x) && (0.0..=1.0).contains(y)), "{places:?}");
            for (n, a) in places.iter().enumerate() {
                assert!(places[n + 1..].iter().all(|b| between(*a, *b).2 > 0.01), "{nodes}: {places:?}");
            }
            assert_eq!(places, place(nodes, &ring));
        }
    }
}
