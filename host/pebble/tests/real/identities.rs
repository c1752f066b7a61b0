use charmhost_pebble::{Error, Identity, IdentityAccess};

use crate::daemon::{error_response, with};

fn local(access: IdentityAccess, user_id: u32) -> Identity {
    Identity {
        access,
        local_user_id: Some(user_id),
        basic_password: None,
        certificate: None,
    }
}

#[test]
fn identities_are_replaced_and_removed() {
    with(async |_, client| {
        assert!(client.identities().await.unwrap().is_empty());
        let hash = "$6$F9cFSVEKyO4gB1Wh$8S1BSKsNkF.jBAixGc4W7l80OpfCNk65LZBDHBng3NAmbcHuMj4RIm7992rrJ8YA.SJ0hvm.vGk2z483am4Ym1";
        let scraper = Identity {
            access: IdentityAccess::Metrics,
            local_user_id: None,
            basic_password: Some(hash.to_owned()),
            certificate: None,
        };
        let bob = local(IdentityAccess::Read, 54321);
        let both = [("scraper", scraper), ("bob", bob.clone())];
        let both = both.map(|(name, identity)| (name.to_owned(), identity));
        client.replace_identities(both).await.unwrap();
        let found = client.identities().await.unwrap();
        assert_eq!(found.keys().collect::<Vec<_>>(), ["bob", "scraper"]);
        assert_eq!(found["bob"], bob);
        assert_eq!(found["scraper"].access, IdentityAccess::Metrics);
        assert_eq!(found["scraper"].basic_password.as_deref(), Some("*****"));
        let admin = local(IdentityAccess::Admin, 54321);
        client
            .replace_identities([("bob".to_owned(), admin.clone())])
            .await
            .unwrap();
        client
            .remove_identities(&["scraper".to_owned()])
            .await
            .unwrap();
        let found = client.identities().await.unwrap();
        assert_eq!(
            found.into_iter().collect::<Vec<_>>(),
            [("bob".to_owned(), admin)]
        );
    });
}

#[test]
fn errors_of_identities() {
    with(async |_, client| {
        for (name, identity) in [
            ("1st", local(IdentityAccess::Admin, 1)),
            ("word", local(IdentityAccess::Other("king".to_owned()), 1)),
        ] {
            let rejected = client
                .replace_identities([(name.to_owned(), identity)])
                .await;
            assert_eq!(error_response(rejected).0, 400, "{name}");
        }
        let missing = client.remove_identities(&["nobody".to_owned()]).await;
        assert_eq!(error_response(missing).0, 400);
        let none = client.remove_identities(&[]).await;
        assert!(matches!(none, Err(Error::Invalid(_))), "{none:?}");
    });
}
