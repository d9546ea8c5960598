//! What the shop sells, and what is said of it: the types of its GraphQL.
//!
//! It refuses to know who asks. What only some may see is for the gateway to guard.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use async_graphql::{Context, Error, ID, Object, SimpleObject, Subscription};
use futures_util::StreamExt as _;
use futures_util::stream::{self, Stream};
use parking_lot::Mutex;
use tokio::sync::broadcast::{self, error::RecvError};

/// The most reviews kept; the oldest make room.
const MAX_REVIEWS: usize = 100;

/// The longest text of a review, in characters.
const MAX_TEXT: usize = 500;

/// How long a product that comes back lets wait.
const PAUSE: Duration = Duration::from_millis(300);

/// Everything there is: name, price, and what of it is earned.
const PRODUCTS: [(&str, f64, f64); 6] = [
    ("Stop log", 48.0, 21.5),
    ("Sluice gate", 1280.0, 310.0),
    ("Staff gauge", 35.5, 12.25),
    ("Flow meter", 890.0, 402.0),
    ("Fish ladder", 4100.0, 780.0),
    ("Waders", 119.0, 55.0),
];

/// What changes: the reviews, and who waits for them.
pub(super) struct Shelf {
    reviews: Mutex<VecDeque<Review>>,
    written: broadcast::Sender<Review>,
}

impl Default for Shelf {
    fn default() -> Self {
        let first = Review {
            number: 1,
            stars: 5,
            text: "Does not leak.".to_owned(),
        };
        Shelf {
            reviews: Mutex::new([first].into()),
            written: broadcast::Sender::new(16),
        }
    }
}

/// Something to buy, by its number.
#[derive(Clone, Copy)]
pub(super) struct Product(usize);

/// What somebody thinks of a product.
#[derive(Clone, SimpleObject)]
#[graphql(complex)]
pub(super) struct Review {
    #[graphql(skip)]
    number: usize,
    /// One to five.
    stars: i32,
    /// In words.
    text: String,
}

#[async_graphql::ComplexObject]
impl Review {
    /// What it is about.
    async fn product(&self) -> Product {
        Product(self.number)
    }
}

/// Something to buy.
#[Object]
impl Product {
    /// Its number.
    async fn id(&self) -> ID {
        self.0.into()
    }

    /// What it is called.
    async fn name(&self) -> &'static str {
        PRODUCTS[self.0].0
    }

    /// What it costs.
    async fn price(&self) -> f64 {
        PRODUCTS[self.0].1
    }

    /// What of that is earned; not everybody's business.
    async fn margin(&self) -> f64 {
        PRODUCTS[self.0].2
    }

    /// What goes with it.
    async fn related(&self, #[graphql(default = 2)] first: usize) -> Vec<Product> {
        let others = (1..PRODUCTS.len()).map(|step| Product((self.0 + step) % PRODUCTS.len()));
        others.take(first).collect()
    }

    /// What is thought of it, the latest first.
    async fn reviews(&self, cx: &Context<'_>, #[graphql(default = 3)] first: usize) -> Vec<Review> {
        let reviews = cx.data_unchecked::<Arc<Shelf>>().reviews.lock();
        let of_this = reviews.iter().rev().filter(|one| one.number == self.0);
        of_this.take(first).cloned().collect()
    }
}

fn find(id: &ID) -> Result<Product, Error> {
    let number = id.parse::<usize>().ok();
    let known = number.filter(|number| *number < PRODUCTS.len());
    known
        .map(Product)
        .ok_or_else(|| Error::new(format!("there is no product {:?}", id.as_str())))
}

/// What can be asked.
pub(super) struct Query;

#[Object]
impl Query {
    /// What is sold.
    async fn products(&self, #[graphql(default = 10)] first: usize) -> Vec<Product> {
        (0..PRODUCTS.len()).map(Product).take(first).collect()
    }

    /// One product.
    async fn product(&self, id: ID) -> Result<Product, Error> {
        find(&id)
    }

    /// Products whose name has this in it; looked for everywhere, which costs.
    async fn search(&self, text: String) -> Vec<Product> {
        let text = text.to_lowercase();
        (0..PRODUCTS.len())
            .filter(|number| PRODUCTS[*number].0.to_lowercase().contains(&text))
            .map(Product)
            .collect()
    }
}

/// What can be done.
pub(super) struct Mutation;

#[Object]
impl Mutation {
    /// Says what is thought of a product.
    async fn review(
        &self,
        cx: &Context<'_>,
        product: ID,
        stars: i32,
        text: String,
    ) -> Result<Review, Error> {
        let Product(number) = find(&product)?;
        if !(1..=5).contains(&stars) {
            return Err(Error::new("there are one to five stars"));
        }
        if text.chars().count() > MAX_TEXT {
            let why = format!("a review has at most {MAX_TEXT} characters");
            return Err(Error::new(why));
        }
        let review = Review {
            number,
            stars,
            text,
        };
        let shelf = cx.data_unchecked::<Arc<Shelf>>();
        let mut reviews = shelf.reviews.lock();
        if reviews.len() == MAX_REVIEWS {
            reviews.pop_front();
        }
        reviews.push_back(review.clone());
        // that nobody waits for it is no fault
        let _ = shelf.written.send(review.clone());
        Ok(review)
    }
}

/// What can be waited for.
pub(super) struct Subscription;

#[Subscription]
impl Subscription {
    /// Products that come back on the shelf, one after the other: as many as are asked for, and no more
    /// than there are.
    async fn restocked(
        &self,
        #[graphql(default = 3)] first: usize,
    ) -> impl Stream<Item = Product> + use<> {
        let back = (0..PRODUCTS.len()).map(Product).take(first);
        stream::iter(back).then(async |product| {
            tokio::time::sleep(PAUSE).await;
            product
        })
    }

    /// Reviews, as they are written.
    async fn reviewed(&self, cx: &Context<'_>) -> impl Stream<Item = Review> + use<> {
        let written = cx.data_unchecked::<Arc<Shelf>>().written.subscribe();
        stream::unfold(written, |mut written| async move {
            loop {
                match written.recv().await {
                    Ok(review) => return Some((review, written)),
                    // too slow a reader misses some
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return None,
                }
            }
        })
    }
}
