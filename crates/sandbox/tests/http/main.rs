//! The sandbox as its clients see it: over real HTTP, on ports of its own.

#[cfg(test)]
mod auth;
#[cfg(test)]
mod calls;
#[cfg(test)]
mod contacts;
#[cfg(test)]
mod control;
#[cfg(test)]
mod faults;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod lifecycle;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod oauth;
#[cfg(test)]
mod paging;
#[cfg(test)]
mod qualtrics;
#[cfg(test)]
mod segment_config;
#[cfg(test)]
mod segment_public;
#[cfg(test)]
mod support;
#[cfg(test)]
mod webhook;
